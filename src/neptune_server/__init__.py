"""A local server for the `neptune` client: runs, series, files and a model registry.

It speaks Neptune 2.x's HTTP interface as the client 1.14 uses it, keeps its data in SQLite and in
files, and needs nothing beyond Python's standard library. Nothing else in the project imports it.
"""

__version__ = "0.1.0"
