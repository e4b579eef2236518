"""Exact match and F1 of an answer, and the same as a metric of the `evaluate` library.

Imports no other package of this library.
"""
