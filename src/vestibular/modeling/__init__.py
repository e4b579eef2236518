"""Tokens, rows and masks, weights in memory, and what they take in bytes and operations.

May import `core`.
"""
