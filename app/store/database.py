"""The connection with its two uses, and SQLite's errors in plain words.

Knows nothing of tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import StoreError, in_words, is_damage


class Database:
    """One connection, for the thread that made it; `damaged` hears of damage."""

    def __init__(
        self, connection: sqlite3.Connection, damaged: Callable[[], object]
    ) -> None:
        self._connection, self._damaged = connection, damaged

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
            raise self._explained(error) from error
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
            raise self._explained(error) from error
        finally:
            self._end()

    def _explained(self, error: sqlite3.Error) -> StoreError:
        if is_damage(error):
            self._damaged()
        return in_words(error)

    def _end(self) -> None:
        # Some errors have ended the transaction already.
        if self._connection.in_transaction:
            self._connection.rollback()
