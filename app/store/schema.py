"""The tables, as numbered migrations. Knows SQL; does not know who reads or writes.

A conversation's turns are a tree. `chosen` names the child that is shown (of a
conversation: its first question), so that a path is one walk without comparisons.
"""

from __future__ import annotations

import sqlite3

from .errors import StoreError

# A turn's parent has no cascade: SQLite ends at 1,000 levels, a conversation does not.
# A streaming text is indexed when it is finished, not at each of its deltas.
_FIRST = """
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL DEFAULT '',
    updated REAL NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    thinking INTEGER NOT NULL DEFAULT 1,
    draft TEXT NOT NULL DEFAULT '',
    draft_attachments TEXT NOT NULL DEFAULT '[]',
    chosen INTEGER,
    deleted REAL
);
CREATE TABLE turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
    parent INTEGER REFERENCES turns DEFERRABLE INITIALLY DEFERRED,
    chosen INTEGER,
    role TEXT NOT NULL,
    text TEXT NOT NULL DEFAULT '',
    thinking TEXT NOT NULL DEFAULT '',
    thinking_seconds REAL,
    boxes TEXT NOT NULL DEFAULT '[]',
    state TEXT NOT NULL DEFAULT 'complete',
    error TEXT,
    stats TEXT,
    model TEXT,
    created REAL NOT NULL,
    writer TEXT
);
CREATE INDEX turns_of_conversation ON turns (conversation, parent);
CREATE INDEX turns_of_parent ON turns (parent);
CREATE INDEX turns_being_written ON turns (writer) WHERE state = 'streaming';
CREATE TABLE attachments (
    turn INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
    position INTEGER NOT NULL,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    pages TEXT,
    max_pixels INTEGER,
    fps REAL,
    tokens INTEGER,
    PRIMARY KEY (turn, position)
) WITHOUT ROWID;

CREATE VIRTUAL TABLE titles USING fts5(
    title, prefix='2 3', tokenize="unicode61 remove_diacritics 2");
CREATE VIRTUAL TABLE texts USING fts5(
    text, prefix='2 3', tokenize="unicode61 remove_diacritics 2");
CREATE TRIGGER title_added AFTER INSERT ON conversations BEGIN
    INSERT INTO titles (rowid, title) VALUES (new.id, new.title);
END;
CREATE TRIGGER title_changed AFTER UPDATE OF title ON conversations BEGIN
    DELETE FROM titles WHERE rowid = old.id;
    INSERT INTO titles (rowid, title) VALUES (new.id, new.title);
END;
CREATE TRIGGER title_gone AFTER DELETE ON conversations BEGIN
    DELETE FROM titles WHERE rowid = old.id;
END;
CREATE TRIGGER text_added AFTER INSERT ON turns WHEN new.state <> 'streaming' BEGIN
    INSERT INTO texts (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER text_changed AFTER UPDATE OF text, state ON turns
WHEN new.state <> 'streaming' BEGIN
    DELETE FROM texts WHERE rowid = old.id;
    INSERT INTO texts (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER text_gone AFTER DELETE ON turns BEGIN
    DELETE FROM texts WHERE rowid = old.id;
END;
"""

# Number n brings version n - 1 to n. Append only: people have every one of them.
MIGRATIONS: tuple[str, ...] = (_FIRST,)


def prepare(connection: sqlite3.Connection) -> None:
    """What SQLite has to be told at every opening."""
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA busy_timeout = 3000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to the newest version, each step whole or not at all.

    Raises:
        StoreError: a newer version of the app wrote this database.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"A newer version of the app wrote these conversations (format {version}, "
            f"this one reads up to {len(MIGRATIONS)}). Please update the app."
        )
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            raise
