"""All data of a server: the database and the contents that it names, changed together."""

import contextlib
import io
import logging
import sqlite3
import time
from collections.abc import Iterator

from neptune_server.contents import Contents
from neptune_server.database import Database
from neptune_server.errors import StartError
from neptune_server.root_folder import RootFolder

UPLOAD_MILLISECONDS = 7 * 24 * 3600 * 1000
"""Age after which the next start removes an upload in parts."""

CONTENT_QUERY = """
SELECT content FROM file
UNION SELECT content FROM upload
UNION SELECT content FROM point WHERE content IS NOT NULL
"""

log = logging.getLogger(__name__)


class Change:
    """A transaction in progress.

    Attributes:
        connection: the database.
        time: milliseconds since 1970, UTC.
        written: contents to remove if the change is rolled back.
        discarded: contents to remove once the change is on the disk.
    """

    def __init__(
        self, connection: sqlite3.Connection, contents: Contents, written: list[str]
    ) -> None:
        self.connection = connection
        self.time = now()
        self.written = written
        self.discarded: list[str] = []
        self._contents = contents

    def discard(self, query: str, *values: object) -> None:
        """Mark the contents that a statement returns for removal after the change is committed."""
        self.discarded += [
            content for (content,) in self.connection.execute(query, values) if content
        ]

    @contextlib.contextmanager
    def part(self, keep: type[Exception]) -> Iterator[None]:
        """Make a part of the change; any exception except `keep` rolls this part back."""
        written, discarded = len(self.written), len(self.discarded)
        self.connection.execute("SAVEPOINT part")
        try:
            yield
        except keep:
            self.connection.execute("RELEASE part")
            raise
        except Exception:
            # on a full disk, SQLite rolls everything back by itself
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK TO part")
                self.connection.execute("RELEASE part")
            del self.discarded[discarded:]
            while len(self.written) > written:
                self._contents.remove(self.written.pop())
            raise
        else:
            self.connection.execute("RELEASE part")

    def write_content(self, data: bytes) -> str:
        """Store a small content and return its name."""
        name, _ = self._contents.receive(io.BytesIO(data))
        self.written.append(name)
        return name


class Store:
    """Reads and changes of the data.

    Attributes:
        contents: the files' bytes.
        changes: number of changes made by this process, so that the page can wait for one.
    """

    def __init__(self, root: RootFolder) -> None:
        """Open the data.

        Raises:
            StartError: the database is damaged or cannot be written.
        """
        self.contents = Contents(root.contents)
        self.changes = 0
        self._database = Database(root.database)
        try:
            self._tidy()
        except sqlite3.Error as error:
            raise StartError(f"{root.database}: {error}; name another folder with --root") from None

    def _tidy(self) -> None:
        """Remove what the previous server left unfinished."""
        with self.change() as change:
            change.connection.execute(
                "DELETE FROM upload WHERE started < ?", (change.time - UPLOAD_MILLISECONDS,)
            )
        with self.read() as connection:
            foreign = self.contents.sweep({name for (name,) in connection.execute(CONTENT_QUERY)})
        if foreign:
            log.warning(
                "%s: %d files are not the server's; they stay", self.contents.folder, foreign
            )

    @contextlib.contextmanager
    def change(self, *contents: str) -> Iterator[Change]:
        """Change the data in a transaction; an exception rolls it back.

        Args:
            contents: names of contents that were stored for this change.
        """
        written = list(contents)
        try:
            with self._database.write() as connection:
                change = Change(connection, self.contents, written)
                yield change
        except BaseException:
            for name in written:
                self.contents.remove(name)
            raise
        self.changes += 1
        for name in change.discarded:
            self.contents.remove(name)

    def read(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Read the data in one consistent state."""
        return self._database.read()

    def close(self) -> None:
        """Close the database."""
        self._database.close()
        self.contents.close()


def now() -> int:
    """Return the time in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
