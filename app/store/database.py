"""The connection with its two uses, and SQLite's errors in plain words.

Knows nothing of tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import in_words


class Database:
    """One connection, for the thread that made it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One moment of the database, whatever others write meanwhile.

        Raises:
            StoreError: SQLite failed.
        """
        try:
            self._connection.execute("BEGIN")
            yield self._connection
        except sqlite3.Error as error:
            raise in_words(error) from error
        finally:
            self._end()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that stands whole or not at all.

        Raises:
            StoreError: SQLite failed, and nothing was changed.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise in_words(error) from error
        finally:
            self._end()

    def _end(self) -> None:
        # Some errors have ended the transaction already.
        if self._connection.in_transaction:
            self._connection.rollback()
