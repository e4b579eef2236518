"""The SQLite database: its tables, and transactions on it from many threads."""

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from neptune_server.errors import StartError

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE project (
    id TEXT PRIMARY KEY,
    workspace TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    UNIQUE (workspace, name)
);
CREATE TABLE container (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL REFERENCES project,
    type TEXT NOT NULL CHECK (type IN ('project', 'run', 'model', 'modelVersion')),
    short_id TEXT NOT NULL,
    parent TEXT NOT NULL,
    custom_id TEXT,
    created INTEGER NOT NULL, -- this and all other times: milliseconds since 1970, UTC
    modified INTEGER NOT NULL,
    pinged INTEGER NOT NULL,
    trashed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (project, short_id),
    UNIQUE (project, type, custom_id)
);
CREATE TABLE attribute (
    id INTEGER PRIMARY KEY,
    container TEXT NOT NULL REFERENCES container,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    value, -- of a simple field; JSON for sets and references; a file's extension
    UNIQUE (container, name)
);
CREATE TABLE point (
    attribute INTEGER NOT NULL REFERENCES attribute ON DELETE CASCADE,
    step REAL NOT NULL,
    time INTEGER NOT NULL,
    value NOT NULL, -- of a number or text; an image's metadata as JSON
    content TEXT, -- an image's bytes, by name
    PRIMARY KEY (attribute, step)
) WITHOUT ROWID;
CREATE TABLE file (
    attribute INTEGER NOT NULL REFERENCES attribute ON DELETE CASCADE,
    path TEXT NOT NULL, -- within a set; empty for a single file
    content TEXT NOT NULL,
    size INTEGER NOT NULL, -- bytes
    modified INTEGER NOT NULL,
    PRIMARY KEY (attribute, path)
) WITHOUT ROWID;
CREATE TABLE upload (
    id TEXT PRIMARY KEY,
    container TEXT NOT NULL REFERENCES container,
    attribute TEXT NOT NULL,
    extension TEXT, -- of a single file
    path TEXT, -- within a set
    content TEXT NOT NULL,
    size INTEGER NOT NULL, -- bytes when complete
    started INTEGER NOT NULL,
    finished INTEGER NOT NULL DEFAULT 0 -- kept, so that finishing twice is finishing once
);
CREATE TABLE upload_part (
    upload TEXT NOT NULL REFERENCES upload ON DELETE CASCADE,
    first INTEGER NOT NULL, -- offset of the first byte
    size INTEGER NOT NULL, -- bytes
    PRIMARY KEY (upload, first)
) WITHOUT ROWID;
CREATE TABLE artifact (
    project TEXT NOT NULL REFERENCES project,
    hash TEXT NOT NULL,
    size INTEGER, -- bytes, where known
    files TEXT, -- JSON, once received
    PRIMARY KEY (project, hash)
) WITHOUT ROWID;
"""


class Database:
    """One writer at a time, any number of readers, each seeing one state of the data."""

    def __init__(self, path: Path) -> None:
        """Open or create the database.

        Raises:
            StartError: the file is not such a database, or is from another version.
        """
        self._path = path
        self._write_lock = threading.Lock()
        self._readers: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        try:
            self._writer = self._connect()
            self._prepare()
        except sqlite3.Error as error:
            raise StartError(f"{path}: {error}; name another folder with --root") from None

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Change the data: all of it or, on an exception, nothing.

        When the block has been left, the change is on the disk.
        """
        with self._write_lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                # a full disk makes SQLite roll back by itself
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Look at the data as they are at this moment, undisturbed by writers."""
        try:
            connection = self._readers.get_nowait()
        except queue.Empty:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.rollback()
            self._readers.put(connection)

    def close(self) -> None:
        """Close every connection that is not in use; the last one tidies the log away."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._readers.get_nowait().close()
        with self._write_lock:
            self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        # a commit returns when the log is on the disk: not even a power cut takes it back
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _prepare(self) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._writer.executescript(
                f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
        elif version != SCHEMA_VERSION:
            raise StartError(
                f"{self._path}: written by another version of this server "
                f"({version}, this one is {SCHEMA_VERSION}); name another folder with --root"
            )
