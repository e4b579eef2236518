"""Users' own projects: their creation, and the upgrade to a newer library.

May import `core`.
"""
