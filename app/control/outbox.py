"""Messages that wait for the model, on disk as the beginning of their draft.

Knows the store's drafts. Does not know when a message can be sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal

from ..conversation import Attachment, Conversation
from ..store import Store
from .trouble import told


@dataclass(frozen=True)
class Waiting:
    """A message that is sent when the answer under way has ended.

    `editing` is the question it takes the place of.
    """

    conversation: int
    text: str
    attachments: tuple[Attachment, ...]
    editing: int | None = None


class Outbox(QObject):
    """Owner of what waits, in the order it will be sent, and of the drafts behind it.

    What waits stands before the draft on disk: nothing is lost with the app.
    """

    changed = Signal(object)  # tuple[str, ...]
    troubled = Signal(str)

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._waiting: list[Waiting] = []
        # What stands in the composers of conversations, without what waits.
        self._drafts: dict[int, tuple[str, tuple[Attachment, ...]]] = {}

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """What will be sent next."""
        return tuple(self._waiting)

    def add(self, message: Waiting) -> None:
        """One more, at the end."""
        self._waiting.append(message)
        self._changed(message.conversation)

    def edit(self, index: int, text: str) -> None:
        """Other words."""
        self._waiting[index] = replace(self._waiting[index], text=text)
        self._changed(self._waiting[index].conversation)

    def remove(self, index: int) -> None:
        """Take a message out and forget it."""
        self._changed(self._waiting.pop(index).conversation)

    def take(self) -> Waiting | None:
        """The first, to be sent; it stays on disk until it is settled or put back."""
        return self._waiting.pop(0) if self._waiting else None

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
        self.changed.emit(tuple(each.text for each in self._waiting))

    def keep_draft(
        self, conversation: int, text: str, attachments: tuple[Attachment, ...]
    ) -> None:
        """What stands in a conversation's composer goes on disk."""
        self._drafts[conversation] = text, attachments
        self._write(conversation)

    def with_own_draft(self, conversation: Conversation) -> Conversation:
        """The conversation with what its composer held, without what waits."""
        number = conversation.id
        if not any(each.conversation == number for each in self._waiting):
            return conversation
        text, attachments = self._drafts.get(number, ("", ()))
        return replace(conversation, draft=text, draft_attachments=attachments)

    def _changed(self, conversation: int) -> None:
        self._write(conversation)
        self.changed.emit(tuple(each.text for each in self._waiting))

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
