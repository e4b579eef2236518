"""Exact match and F1 of an answer, also as a metric for the `evaluate` library.

May import `core`.
"""
