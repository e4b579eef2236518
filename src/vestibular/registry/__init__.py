"""Versions of the chosen model in git, and what changed between two commits.

May import `core`, `params` and `selection`.
"""
