"""The search index, which can always be made anew from what was said.

SQLite's own check does not look into it, and a thorough one of a large index takes too
long for a start: one that fails while it is used is marked, and rebuilt at the next.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

_SOURCES = {
    "titles": ("title", "SELECT id, title FROM conversations"),
    "texts": ("text", "SELECT id, text FROM turns WHERE state <> 'streaming'"),
}
# Of 4 kB; a check of so many takes a fifth of a second.
_MOST_PAGES = 7_500


def mark_damaged(folder: Path) -> None:
    """Something in the database is damaged: look at the index at the next start."""
    _mark(folder).touch()


def repair(connection: sqlite3.Connection, folder: Path) -> None:
    """Rebuild the index where it was marked, or cannot be read at all."""
    if _mark(folder).exists() or not _readable(connection):
        connection.execute("BEGIN IMMEDIATE")
        for name, (column, source) in _SOURCES.items():
            (made,) = connection.execute(
                "SELECT sql FROM sqlite_master WHERE name = ?", (name,)
            ).fetchone()
            connection.execute(f"DROP TABLE {name}")
            connection.execute(made)
            connection.execute(f"INSERT INTO {name} (rowid, {column}) {source}")
        connection.execute("COMMIT")
        _mark(folder).unlink(missing_ok=True)


def _readable(connection: sqlite3.Connection) -> bool:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    try:
        for name in _SOURCES:
            if pages < _MOST_PAGES:
                check = f"INSERT INTO {name}({name}) VALUES('integrity-check')"
                connection.execute(check)
            query = f"SELECT rowid FROM {name} WHERE {name} MATCH 'a*' LIMIT 1"
            connection.execute(query).fetchall()
    except sqlite3.DatabaseError:
        return False
    return True


def _mark(folder: Path) -> Path:
    return folder / "index-damaged"
