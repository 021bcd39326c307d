"""Opening the database: one at a time, a damaged one moved aside, the dead noticed.

Knows files and locks. A writer holds a lock on a file of its own for as long as it
lives; the system lets go of it however the process ends, so no clock or pid is asked.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import StoreError, code_of
from .index import repair
from .schema import migrate, prepare

DATABASE = "chats.db"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Writer:
    """The mark of a living store, by which others know whose turns are being written.

    Made and checked while `alone` is held.
    """

    def __init__(self, folder: Path) -> None:
        self.name = uuid.uuid4().hex
        self._path = _mark(folder, self.name)
        self._path.parent.mkdir(exist_ok=True)
        self._file = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def close(self) -> None:
        """From now on this writer counts as gone."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; other stores that open meanwhile wait."""
    file = os.open(folder / "store.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def open_database(folder: Path) -> tuple[sqlite3.Connection, Path | None]:
    """The connection, and where a damaged database was moved (None: it was sound)."""
    path = folder / DATABASE
    try:
        return _opened(path), None
    except sqlite3.DatabaseError as error:
        if code_of(error) not in _DAMAGED:
            raise
    backup = _move_aside(path)
    return _opened(path), backup


def stop_abandoned(connection: sqlite3.Connection, folder: Path) -> None:
    """Turns whose writer is gone were stopped; their marks are removed."""
    rows = connection.execute(
        "SELECT DISTINCT writer FROM turns WHERE state = 'streaming'"
    ).fetchall()
    for (name,) in rows:
        if name is None or _is_gone(folder, name):
            connection.execute(
                "UPDATE turns SET state = 'stopped', writer = NULL "
                "WHERE state = 'streaming' AND writer IS ?",
                (name,),
            )
    for mark in (folder / "writers").glob("*.lock"):
        if _is_gone(folder, mark.stem):
            mark.unlink(missing_ok=True)


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        prepare(connection)
        migrate(connection)
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            error = sqlite3.DatabaseError(found)
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
        repair(connection, path.parent)
    except (sqlite3.Error, StoreError):
        connection.close()
        raise
    return connection


def _move_aside(path: Path) -> Path:
    number = 1
    while (backup := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    os.rename(path, backup)
    for ending in ("-wal", "-shm"):
        beside = path.with_name(path.name + ending)
        if beside.exists():
            os.rename(beside, backup.with_name(backup.name + ending))
    return backup


def _mark(folder: Path, name: str) -> Path:
    return folder / "writers" / f"{name}.lock"


def _is_gone(folder: Path, name: str) -> bool:
    try:
        file = os.open(_mark(folder, name), os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True
