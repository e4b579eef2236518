"""A project of a user's own: how it is made, and how it takes a newer library.

May import `core`.
"""
