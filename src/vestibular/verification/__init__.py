"""Verification of a revision's results: consistent with its content, and reproducible.

May import `core`, `clones`, `params`, `scoring`, `selection` and `registry`.
"""
