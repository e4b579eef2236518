"""Benchmarks, described in bench/README.md."""
