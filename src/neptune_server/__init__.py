"""A local server for the `neptune` client: runs, series, files and a model registry.

It implements the part of Neptune 2.x's HTTP interface that the client 1.14 uses, and keeps its data
in SQLite and in files. Starlette and uvicorn handle HTTP, PyJWT handles tokens. No other package of
the project imports it, and it imports none of them.
"""

__version__ = "0.1.0"
