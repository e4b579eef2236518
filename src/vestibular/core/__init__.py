"""Settings, paths, whole files, errors, and the records that pass between stages.

Imports no other package of this library.
"""
