"""The SQLite database: checks before it is opened, and transactions from many threads."""

import contextlib
import os
import queue
import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from neptune_server.errors import StartError
from neptune_server.schema import SCHEMA_VERSION, TABLES, create, migrate

HEADER = b"SQLite format 3\0"
VERSION_PLACE = slice(60, 64)
"""Place of a database's user version within its first page."""
LOG_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24


def stored_version(path: Path, log: Path) -> int:
    """Return a database's version number without opening it, since SQLite would change its files.

    Returns:
        the highest version in its file or its write-ahead log; 0 if there is no database.

    Raises:
        StartError: the file is not a database.

    Source: https://www.sqlite.org/fileformat2.html, sections 1.3 and 4.1.
    """
    try:
        with path.open("rb") as file:
            page = file.read(VERSION_PLACE.stop)
    except FileNotFoundError:
        return 0
    if page and not page.startswith(HEADER):
        raise StartError(f"{path}: not a database; name another folder with --root")
    version = int.from_bytes(page[VERSION_PLACE])
    with contextlib.suppress(FileNotFoundError), log.open("rb") as file:
        header = file.read(LOG_HEADER_BYTES)
        size = int.from_bytes(header[8:12])
        while size and len(frame := file.read(FRAME_HEADER_BYTES)) == FRAME_HEADER_BYTES:
            if int.from_bytes(frame[:4]) == 1:
                page = file.read(size)
                version = max(version, int.from_bytes(page[VERSION_PLACE]))
            else:
                file.seek(size, os.SEEK_CUR)
    return version


def is_own(path: Path) -> bool:
    """Return whether a file is a database of this server, judged by its tables."""
    if not path.is_file():
        return False
    wanted = set(re.findall(r"CREATE TABLE (\w+)", TABLES))
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return wanted <= {name for (name,) in rows}
    except sqlite3.Error:
        return False


class Database:
    """One writer at a time and any number of readers, each with a consistent view of the data."""

    def __init__(self, path: Path) -> None:
        """Open or create the database.

        Raises:
            StartError: the file is not a database of this server, or is damaged.
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
        """Change the data in a transaction; an exception rolls it back.

        After the block, the change is on the disk.
        """
        with self._write_lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                # on a full disk, SQLite rolls back by itself
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Read the data in their present state, unaffected by writers."""
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
        """Close all idle connections; closing the last one removes the write-ahead log."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._readers.get_nowait().close()
        with self._write_lock:
            self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        # a commit returns when the log is on the disk, and so survives a power failure
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _prepare(self) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version == 0:
            create(self._writer)
        elif version < SCHEMA_VERSION:
            migrate(self._writer)
