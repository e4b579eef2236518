"""The tables of the database, and their migration from an older version."""

import sqlite3

SCHEMA_VERSION = 2

TABLES = """
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
    custom_id TEXT, -- null in the trash, so that the next run with this ID is a new one
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
    finished INTEGER NOT NULL DEFAULT 0 -- stored, so that finishing again changes nothing
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
"""Tables since version 1."""

NUMBERS = """
CREATE TABLE last_number ( -- of runs in a project, of versions of a model
    parent TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE gone ( -- names of deleted containers, which are not used again
    project TEXT NOT NULL REFERENCES project,
    short_id TEXT NOT NULL,
    PRIMARY KEY (project, short_id)
) WITHOUT ROWID;
"""
"""Tables since version 2."""


def create(connection: sqlite3.Connection) -> None:
    """Create the tables."""
    connection.executescript(
        f"BEGIN; {TABLES} {NUMBERS} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate the tables of version 1 to this version; a failure leaves them unchanged."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in filter(str.strip, NUMBERS.split(";")):
            connection.execute(statement)
        highest: dict[str, int] = {}
        for parent, short_id in connection.execute(
            "SELECT parent, short_id FROM container WHERE type IN ('run', 'modelVersion')"
        ):
            number = int(short_id.rpartition("-")[2])
            highest[parent] = max(number, highest.get(parent, 0))
        connection.executemany("INSERT INTO last_number VALUES (?, ?)", highest.items())
        connection.execute("UPDATE container SET custom_id = NULL WHERE trashed")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
