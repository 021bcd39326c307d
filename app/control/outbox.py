"""Messages that wait for the model, on disk as the beginning of their draft.

Knows the store's drafts. Does not know when a message can be sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count

from PySide6.QtCore import QObject, Signal

from ..conversation import Attachment, Conversation
from ..store import Store
from .trouble import told


@dataclass(frozen=True)
class Waiting:
    """A message that is sent when the model is free. `id` stays its own.

    `editing` is the question it takes the place of.
    """

    conversation: int
    text: str
    attachments: tuple[Attachment, ...]
    editing: int | None = None
    id: int = 0


class Outbox(QObject):
    """Owner of what waits, in the order it will be sent, and of the drafts behind it.

    What waits stands before the draft on disk: nothing is lost with the app.
    """

    changed = Signal()
    released = Signal()  # a message that was held may be sent
    troubled = Signal(str)

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._waiting: list[Waiting] = []
        self._ids = count(1)
        self._held: set[int] = set()
        # What stands in the composers of conversations, without what waits.
        self._drafts: dict[int, tuple[str, tuple[Attachment, ...]]] = {}

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """What will be sent next."""
        return tuple(self._waiting)

    def add(self, message: Waiting) -> None:
        """One more, at the end."""
        self._waiting.append(replace(message, id=next(self._ids)))
        self._changed(message.conversation)

    def edit(self, number: int, text: str) -> None:
        """Other words; nothing where it was sent meanwhile."""
        for place, message in enumerate(self._waiting):
            if message.id == number:
                self._waiting[place] = replace(message, text=text)
                self._changed(message.conversation)

    def hold(self, number: int, held: bool) -> None:
        """While it is being edited it is not sent, and what follows waits with it."""
        if held:
            self._held.add(number)
        else:
            self._held.discard(number)
            self.released.emit()

    def remove(self, number: int) -> None:
        """Take a message out and forget it."""
        gone = [each for each in self._waiting if each.id == number]
        self._waiting = [each for each in self._waiting if each.id != number]
        for message in gone:
            self.hold(number, False)
            self._changed(message.conversation)

    def take(self) -> Waiting | None:
        """The first, to be sent; it stays on disk until it is settled or put back."""
        if not self._waiting or self._waiting[0].id in self._held:
            return None
        return self._waiting.pop(0)

    def settle(self, message: Waiting) -> None:
        """It was sent."""
        self._changed(message.conversation)

    def put_back(self, message: Waiting) -> None:
        """It could not be sent: the first again."""
        self._waiting.insert(0, message)
        self._changed(message.conversation)

    def leave(self, conversation: int) -> None:
        """Send nothing more to it; what waited stays in its draft on disk."""
        self._waiting = [w for w in self._waiting if w.conversation != conversation]
        self.changed.emit()

    def keep_draft(
        self, conversation: int, text: str, attachments: tuple[Attachment, ...]
    ) -> None:
        """What stands in a conversation's composer goes on disk."""
        self._drafts[conversation] = text, attachments
        self._write(conversation)

    def add_to_draft(self, conversation: Conversation, attachment: Attachment) -> None:
        """A file that came when its conversation was no longer open."""
        own = self.with_own_draft(conversation)
        attachments = (*own.draft_attachments, attachment)
        self.keep_draft(conversation.id, own.draft, attachments)

    def with_own_draft(self, conversation: Conversation) -> Conversation:
        """The conversation with what its composer held, without what waits."""
        number = conversation.id
        if not any(each.conversation == number for each in self._waiting):
            return conversation
        text, attachments = self._drafts.get(number, ("", ()))
        return replace(conversation, draft=text, draft_attachments=attachments)

    def _changed(self, conversation: int) -> None:
        self._write(conversation)
        self.changed.emit()

    def _write(self, conversation: int) -> None:
        text, attachments = self._drafts.get(conversation, ("", ()))
        waiting = [w for w in self._waiting if w.conversation == conversation]
        texts = [each.text for each in waiting] + [text]
        media = [one for each in waiting for one in each.attachments]
        with told(self.troubled.emit):
            self._store.set_draft(
                conversation,
                "\n\n".join(filter(None, texts)),
                (*media, *attachments),
            )
