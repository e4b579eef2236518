"""A local server for the `neptune` client: runs, series, files and a model registry.

It speaks Neptune 2.x's HTTP interface as the client 1.14 uses it, and keeps its data in SQLite and
in files. HTTP is Starlette's and uvicorn's, tokens are PyJWT's. Nothing else in the project imports
it, and it imports none of the project's other packages.
"""

__version__ = "0.1.0"
