"""A project's stages as DVC has them, and a commit in a clone that runs its own library.

May import `core`.
"""
