"""The tree of a conversation's turns: its chosen path, siblings, branches.

Knows the tables through a connection. Does not know transactions: the caller has one.
"""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from dataclasses import dataclass

from ..conversation import Attachment, Role, Turn
from .errors import StoreError
from .rows import attachment_of, turn_of

_PATH = """
WITH RECURSIVE way (id, depth) AS (
    SELECT chosen, 0 FROM conversations WHERE id = ?
    UNION ALL
    SELECT turns.chosen, depth + 1 FROM way JOIN turns ON turns.id = way.id
)
SELECT turns.* FROM way JOIN turns ON turns.id = way.id ORDER BY depth
"""
_BRANCH = """
WITH RECURSIVE branch (id) AS (
    SELECT ?
    UNION ALL
    SELECT turns.id FROM branch JOIN turns ON turns.parent = branch.id
)
SELECT id FROM branch
"""


def chosen_path(connection: sqlite3.Connection, conversation: int) -> tuple[Turn, ...]:
    """The turns that are shown, first to last."""
    rows = connection.execute(_PATH, (conversation,)).fetchall()
    return _turns(connection, conversation, rows)


def all_turns(connection: sqlite3.Connection, conversation: int) -> tuple[Turn, ...]:
    """Every turn of every branch, parents before children."""
    rows = connection.execute(
        "SELECT * FROM turns WHERE conversation = ? ORDER BY id", (conversation,)
    ).fetchall()
    return _turns(connection, conversation, rows)


def one_turn(connection: sqlite3.Connection, turn: int) -> Turn:
    """A single turn."""
    row = row_of(connection, turn)
    return _turns(connection, row["conversation"], [row])[0]


def row_of(connection: sqlite3.Connection, turn: int) -> sqlite3.Row:
    """A turn's columns.

    Raises:
        StoreError: there is no such turn.
    """
    row = connection.execute("SELECT * FROM turns WHERE id = ?", (turn,)).fetchone()
    if row is None:
        raise StoreError("This message is no longer there.")
    return row


def siblings(connection: sqlite3.Connection, row: sqlite3.Row) -> list[int]:
    """The turn and those beside it, oldest first."""
    found = connection.execute(
        "SELECT id FROM turns WHERE conversation = ? AND parent IS ? ORDER BY id",
        (row["conversation"], row["parent"]),
    )
    return [number for (number,) in found]


def choose(
    connection: sqlite3.Connection,
    conversation: int,
    parent: int | None,
    child: int | None,
) -> None:
    """Show this child under its parent."""
    if parent is None:
        sql = "UPDATE conversations SET chosen = ? WHERE id = ?"
        connection.execute(sql, (child, conversation))
    else:
        connection.execute("UPDATE turns SET chosen = ? WHERE id = ?", (child, parent))


def reveal(connection: sqlite3.Connection, turn: int) -> None:
    """Choose a turn and everything above it."""
    at: int | None = turn
    while at is not None:
        row = row_of(connection, at)
        choose(connection, row["conversation"], row["parent"], at)
        at = row["parent"]


def add_turn(
    connection: sqlite3.Connection, conversation: int, parent: int | None, role: Role
) -> int:
    """An empty turn that is being written and shown; its id.

    A question may follow a question, whose answer was deleted. A conversation that
    another window deleted is there again: it is being used.
    """
    above = None if parent is None else row_of(connection, parent)
    if above is not None and above["conversation"] != conversation:
        raise ValueError(f"turn {parent} is of another conversation")
    if role == "assistant" and (above is None or above["role"] != "user"):
        raise ValueError(f"turn {parent} is no question to answer")
    now = time.time()
    number = connection.execute(
        "INSERT INTO turns (conversation, parent, role, state, created) "
        "VALUES (?, ?, ?, 'streaming', ?)",
        (conversation, parent, role, now),
    ).lastrowid
    assert number is not None
    choose(connection, conversation, parent, number)
    connection.execute(
        "UPDATE conversations SET updated = ?, deleted = NULL WHERE id = ?",
        (now, conversation),
    )
    return number


@dataclass(frozen=True)
class Branch:
    """Turns that were removed, with all that their tables held of them."""

    conversation: int
    turns: tuple[tuple[object, ...], ...]
    attachments: tuple[tuple[object, ...], ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """The turns' numbers; the first is the one that was deleted."""
        return tuple(int(str(row[0])) for row in self.turns)


def delete_branch(connection: sqlite3.Connection, turn: int) -> Branch:
    """Remove a turn and all under it; a neighbour is shown instead."""
    row = row_of(connection, turn)
    beside = siblings(connection, row)
    gone = [number for (number,) in connection.execute(_BRANCH, (turn,))]
    branch = _copied(connection, row["conversation"], gone)
    connection.executemany("DELETE FROM turns WHERE id = ?", [(n,) for n in gone])
    place = beside.index(turn)
    left = beside[:place] + beside[place + 1 :]
    shown = _chosen(connection, row)
    if shown == turn:
        neighbour = left[max(place - 1, 0)] if left else None
        choose(connection, row["conversation"], row["parent"], neighbour)
    return branch


def restore_branch(connection: sqlite3.Connection, branch: Branch) -> None:
    """Put back what `delete_branch` removed, and show it."""
    for table, rows in (("turns", branch.turns), ("attachments", branch.attachments)):
        for row in rows:
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)
    first = row_of(connection, branch.ids[0])
    choose(connection, branch.conversation, first["parent"], first["id"])


def _copied(
    connection: sqlite3.Connection, conversation: int, turns: list[int]
) -> Branch:
    def rows(query: str) -> tuple[tuple[object, ...], ...]:
        found = (connection.execute(query, (number,)) for number in turns)
        return tuple(tuple(row) for rows in found for row in rows)

    return Branch(
        conversation,
        rows("SELECT * FROM turns WHERE id = ?"),
        rows("SELECT * FROM attachments WHERE turn = ?"),
    )


def _chosen(connection: sqlite3.Connection, row: sqlite3.Row) -> int | None:
    if row["parent"] is None:
        sql, key = "SELECT chosen FROM conversations WHERE id = ?", row["conversation"]
    else:
        sql, key = "SELECT chosen FROM turns WHERE id = ?", row["parent"]
    return connection.execute(sql, (key,)).fetchone()[0]


def _turns(
    connection: sqlite3.Connection, conversation: int, rows: list[sqlite3.Row]
) -> tuple[Turn, ...]:
    children: dict[int | None, list[int]] = defaultdict(list)
    # Where each stands among its siblings, known without searching a list again.
    places: dict[int, int] = {}
    for number, parent in connection.execute(
        "SELECT id, parent FROM turns WHERE conversation = ? ORDER BY id",
        (conversation,),
    ):
        children[parent].append(number)
        places[number] = len(children[parent])
    attachments: dict[int, list[Attachment]] = defaultdict(list)
    for row in connection.execute(
        "SELECT attachments.* FROM attachments JOIN turns ON turns.id = turn "
        "WHERE conversation = ? ORDER BY turn, position",
        (conversation,),
    ):
        attachments[row["turn"]].append(attachment_of(row))
    return tuple(
        turn_of(
            row,
            tuple(attachments.get(row["id"], ())),
            places[row["id"]],
            len(children[row["parent"]]),
        )
        for row in rows
    )
