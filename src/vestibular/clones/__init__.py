"""A commit of the project in a clone of its own, which runs its own library.

May import `core`.
"""
