"""The command line.

May import every other package; none imports it.
"""
