"""A project's stages as DVC reads them, and clones that run a commit with its own library.

May import `core`.
"""
