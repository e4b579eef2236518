"""Exact match and F1 of an answer, and the same as a metric of the `evaluate` library.

May import `core`.
"""
