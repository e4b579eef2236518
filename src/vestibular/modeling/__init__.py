"""Tokens, rows and masks, weights in memory, and their cost in bytes and operations.

May import `core`.
"""
