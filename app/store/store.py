"""The conversations on disk. Knows SQLite; values go in and come out.

Belongs to the thread that made it. Attachments' files are `Media`'s.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..conversation import Attachment, Box, Conversation, Hit, Stats, Turn, TurnState
from . import search as searching
from . import tree
from .attachments import Media
from .database import Database
from .errors import StoreError, in_words
from .index import mark_damaged
from .opening import Writer, alone, open_database, stop_abandoned
from .pending import Channel, Ending, Pending
from .rows import (
    attachment_columns,
    attachments_text,
    clean,
    conversation_of,
    title_from,
)

_DAY = 86_400.0


class Store:
    """All conversations of one folder.

    `recovered` is where a damaged database was moved, None when it was sound.

    Raises:
        StoreError: the folder cannot be used, or a newer app wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self.media = Media(folder)
        self._pending = Pending()
        self._deleted: set[int] = set()  # by this window
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with alone(folder):
                connection, self.recovered = open_database(folder)
                self._database = Database(connection, partial(mark_damaged, folder))
                self._writer = Writer(folder)
                stop_abandoned(connection, folder)
        except sqlite3.Error as error:
            raise in_words(error) from error
        except OSError as error:
            raise StoreError(f"{folder} cannot be used: {error.strerror}") from error

    def close(self) -> None:
        """Write what waits and let go of the database."""
        try:
            self.flush()
        finally:
            self._database.close()
            self._writer.close()

    def conversations(self) -> tuple[Conversation, ...]:
        """Those that are not deleted, pinned ones first, then the newest."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM conversations WHERE deleted IS NULL "
                "ORDER BY pinned DESC, updated DESC, id DESC"
            ).fetchall()
        return tuple(conversation_of(row) for row in rows)

    def conversation(self, conversation: int) -> Conversation:
        """A single one, deleted or not."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT * FROM conversations WHERE id = ?", (conversation,)
            ).fetchone()
        if row is None:
            raise StoreError("This conversation is no longer there.")
        return conversation_of(row)

    def create_conversation(self, *, thinking: bool = True) -> Conversation:
        """A new one without title and turns."""
        with self._database.writing() as connection:
            number = connection.execute(
                "INSERT INTO conversations (updated, thinking) VALUES (?, ?)",
                (time.time(), thinking),
            ).lastrowid
        assert number is not None
        return self.conversation(number)

    def rename(self, conversation: int, title: str) -> None:
        """Another title; an empty one comes from the next question."""
        self._set(conversation, "title", clean(title.strip()))

    def pin(self, conversation: int, pinned: bool) -> None:
        """Keep it on top, or not."""
        self._set(conversation, "pinned", pinned)

    def set_thinking(self, conversation: int, thinking: bool) -> None:
        """Its toggle."""
        self._set(conversation, "thinking", thinking)

    def set_draft(
        self, conversation: int, text: str, attachments: Sequence[Attachment] = ()
    ) -> None:
        """What stands in its composer."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE conversations SET draft = ?, draft_attachments = ? "
                "WHERE id = ?",
                (clean(text), attachments_text(attachments), conversation),
            )

    def delete(self, conversation: int) -> None:
        """Hide it; `restore` brings it back until `purge_deleted`."""
        self._set(conversation, "deleted", time.time())
        self._deleted.add(conversation)

    def restore(self, conversation: int) -> None:
        """Undo `delete`.

        Raises:
            StoreError: it is gone for good.
        """
        self._deleted.discard(conversation)
        if not self._set(conversation, "deleted", None):
            raise StoreError("This conversation is gone for good.")

    def discard_if_empty(self, conversation: int) -> bool:
        """Forget a conversation in which nothing was said or is being written."""
        with self._database.writing() as connection:
            gone = connection.execute(
                "DELETE FROM conversations WHERE id = ? AND title = '' AND draft = '' "
                "AND draft_attachments = '[]' AND NOT EXISTS "
                "(SELECT 1 FROM turns WHERE conversation = conversations.id)",
                (conversation,),
            )
        return gone.rowcount > 0

    def purge_deleted(self, *, media_age: float = 3600.0) -> None:
        """Remove deleted conversations, and media that nothing names any more.

        Those that another window deleted within a day stay: it may undo that. Media
        younger than `media_age` seconds stay, too: they may be in a composer.
        """
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM conversations WHERE deleted < ?", (time.time() - _DAY,)
            )
            connection.executemany(
                "DELETE FROM conversations WHERE id = ? AND deleted IS NOT NULL",
                [(number,) for number in self._deleted],
            )
        self.media.remove_unreferenced(self._digests, media_age)

    def path(self, conversation: int) -> tuple[Turn, ...]:
        """The turns that are shown, with what is not flushed yet."""
        with self._database.reading() as connection:
            turns = tree.chosen_path(connection, conversation)
        return tuple(self._pending.onto(turn) for turn in turns)

    def turns(self, conversation: int) -> tuple[Turn, ...]:
        """The turns of every branch, parents before children."""
        with self._database.reading() as connection:
            turns = tree.all_turns(connection, conversation)
        return tuple(self._pending.onto(turn) for turn in turns)

    def turn(self, turn_id: int) -> Turn:
        """A single one."""
        with self._database.reading() as connection:
            return self._pending.onto(tree.one_turn(connection, turn_id))

    def add_question(
        self,
        conversation: int,
        parent: int | None,
        text: str,
        attachments: Sequence[Attachment] = (),
    ) -> Turn:
        """A question under a turn (None: the first); it is shown from now on."""
        with self._database.writing() as connection:
            number = tree.add_turn(connection, conversation, parent, "user")
            # The second statement, so that the index sees the text once.
            connection.execute(
                "UPDATE turns SET text = ?, state = 'complete' WHERE id = ?",
                (clean(text), number),
            )
            connection.executemany(
                "INSERT INTO attachments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [attachment_columns(number, *one) for one in enumerate(attachments)],
            )
            connection.execute(
                "UPDATE conversations SET title = ? WHERE id = ? AND title = ''",
                (title_from(text, attachments), conversation),
            )
        return self.turn(number)

    def add_answer(self, conversation: int, parent: int, model: str | None) -> Turn:
        """An empty answer that this store writes; it is shown from now on."""
        with self._database.writing() as connection:
            number = tree.add_turn(connection, conversation, parent, "assistant")
            connection.execute(
                "UPDATE turns SET model = ?, writer = ? WHERE id = ?",
                (model, self._writer.name, number),
            )
        return self.turn(number)

    def resume(self, turn_id: int) -> Turn:
        """Go on writing an answer that ended, as when a cut one is continued."""
        self.flush()
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE turns SET state = 'streaming', error = NULL, writer = ? "
                "WHERE id = ? AND role = 'assistant'",
                (self._writer.name, turn_id),
            )
        return self.turn(turn_id)

    def append(self, turn_id: int, channel: Channel, text: str) -> None:
        """Keep a delta for the next `flush`."""
        self._pending.append(turn_id, channel, text)

    def flush(self) -> None:
        """Write all that waits, together.

        Raises:
            StoreError: it could not be written; the next flush tries again.
        """
        if self._pending:
            with self._database.writing() as connection:
                self._pending.write(connection)
            self._pending.forget()

    def finish(
        self,
        turn_id: int,
        state: TurnState,
        *,
        stats: Stats | None = None,
        boxes: Sequence[Box] | None = None,
        error: str | None = None,
        thinking_seconds: float | None = None,
    ) -> None:
        """The answer ended. Flushes; where that fails the next flush ends it.

        What is None stays as an earlier end left it, but for the error.
        """
        kept = None if boxes is None else tuple(boxes)
        end = Ending(state, stats, kept, error, thinking_seconds)
        self._pending.endings[turn_id] = end
        self.flush()

    def choose_variant(self, turn_id: int, step: int) -> int:
        """Show the sibling `step` further (the last one at the end); its id."""
        with self._database.writing() as connection:
            row = tree.row_of(connection, turn_id)
            beside = tree.siblings(connection, row)
            place = beside.index(turn_id) + step
            shown = beside[min(max(place, 0), len(beside) - 1)]
            tree.choose(connection, row["conversation"], row["parent"], shown)
        return shown

    def reveal(self, turn_id: int) -> None:
        """Show the branch that a turn stands on."""
        with self._database.writing() as connection:
            tree.reveal(connection, turn_id)

    def delete_turn(self, turn_id: int) -> tree.Branch:
        """Remove a turn with everything under it; `restore_turn` brings it back."""
        self.flush()
        with self._database.writing() as connection:
            branch = tree.delete_branch(connection, turn_id)
        for number in branch.ids:
            self._pending.deltas.pop(number, None)
            self._pending.endings.pop(number, None)
        return branch

    def restore_turn(self, branch: tree.Branch) -> None:
        """Undo `delete_turn`.

        Raises:
            StoreError: what it stood under is gone, too.
        """
        with self._database.writing() as connection:
            tree.restore_branch(connection, branch)

    def search(self, query: str, limit: int = 50) -> tuple[Hit, ...]:
        """Where words that begin like those of the query stand."""
        with self._database.reading() as connection:
            return searching.search(connection, query, limit)

    def _set(self, conversation: int, column: str, value: object) -> bool:
        """Whether there is such a conversation."""
        with self._database.writing() as connection:
            changed = connection.execute(
                f"UPDATE conversations SET {column} = ? WHERE id = ?",
                (value, conversation),
            )
        return changed.rowcount > 0

    def _digests(self) -> set[str]:
        with self._database.reading() as connection:
            found = {d for (d,) in connection.execute("SELECT digest FROM attachments")}
            for (text,) in connection.execute(
                "SELECT draft_attachments FROM conversations"
            ):
                found.update(one["digest"] for one in json.loads(text))
        return found
