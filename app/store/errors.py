"""What can go wrong with the store, in words for the person."""

from __future__ import annotations

import sqlite3

_WORDS = {
    sqlite3.SQLITE_FULL: "The disk is full. Free some space; nothing was lost so far.",
    sqlite3.SQLITE_IOERR: "The conversations could not be written. Is the disk full?",
    sqlite3.SQLITE_READONLY: "The conversations' folder may not be written to.",
    sqlite3.SQLITE_CANTOPEN: "The conversations' file could not be opened.",
    sqlite3.SQLITE_BUSY: "Another window is using the conversations for too long.",
    sqlite3.SQLITE_CONSTRAINT: "This conversation was deleted in another window.",
    sqlite3.SQLITE_CORRUPT: "The conversations' file is damaged. Start the app again.",
    sqlite3.SQLITE_NOTADB: "The conversations' file is damaged. Start the app again.",
}


class StoreError(Exception):
    """The store cannot do what was asked; the text is plain enough to be shown."""


def code_of(error: sqlite3.Error) -> int:
    """SQLite's primary result code; errors of the sqlite3 module itself have none."""
    # Only errors that come from SQLite carry the attribute.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file, or its search index, is no longer whole."""
    # An index that lacks what it should hold has no better words than these.
    return code_of(error) == sqlite3.SQLITE_CORRUPT or str(error) == "constraint failed"


def in_words(error: sqlite3.Error) -> StoreError:
    """The same as an error for people; what SQLite said stands behind it."""
    code = sqlite3.SQLITE_CORRUPT if is_damage(error) else code_of(error)
    words = _WORDS.get(code, "The conversations could not be read or written.")
    return StoreError(f"{words} ({error})")
