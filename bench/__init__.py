"""How fast, and against what: see bench/README.md."""
