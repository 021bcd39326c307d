"""The conversation that is open: what is asked in it, and what becomes of its turns.

Knows the store, the answer under way and what waits. Does not know widgets, drafts or
files.
"""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from ..conversation import Attachment, Conversation, Turn
from ..engine import protocol
from ..engine.client import EngineClient
from ..models import EngineState
from ..settings import SettingsKeeper
from ..store import Branch, Store, StoreError
from .answer import Answer
from .outbox import Outbox, Waiting
from .trouble import told


class Talk(QObject):
    """Owner of the open conversation, the `answer` under way and the `outbox`.

    The answer may be another conversation's than the open one's.
    """

    opened = Signal(object, object)  # Conversation or None, tuple[Turn, ...]
    reread = Signal(object)  # tuple[Turn, ...] of the same conversation, others now
    listed = Signal()  # titles, order or number of conversations are others now
    turn_added = Signal(object)  # Turn
    turn_changed = Signal(object)  # Turn
    said = Signal(int, str, str)  # turn, "thinking" or "answer", words
    progressed = Signal(object)  # protocol.Progress, None when that is over
    turns_deleted = Signal(object)  # Branch, for `restore_turn`
    busy_changed = Signal(bool)
    troubled = Signal(str)  # what went wrong with the store, in plain words

    def __init__(
        self,
        store: Store,
        engine: EngineClient,
        settings: SettingsKeeper,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._engine = store, engine
        self._conversation: Conversation | None = None
        self._doomed: int | None = None
        self.answer = answer = Answer(store, engine, settings, self)
        answer.begun.connect(self._begun)
        answer.progressed.connect(self._progressed)
        answer.said.connect(self._said)
        answer.ended.connect(self._ended)
        answer.troubled.connect(self.troubled)
        self.outbox = Outbox(store, self)
        self.outbox.released.connect(self._send_next)
        self.outbox.troubled.connect(self.troubled)
        engine.state_changed.connect(self._engine_changed)

    @property
    def conversation(self) -> Conversation | None:
        """The one that is open, None for a new one that has no word yet."""
        return self._conversation

    @property
    def busy(self) -> bool:
        """Whether an answer is under way, whoever it is for."""
        return self.answer.turn is not None

    def turns(self) -> tuple[Turn, ...]:
        """What is shown of the open conversation."""
        if self._conversation is None:
            return ()
        return self._store.path(self._conversation.id)

    @property
    def busy_here(self) -> bool:
        """Whether the open conversation's answer is under way."""
        number = self.answer.conversation
        return number is not None and self._is_open(number)

    def open(self, conversation: int | None) -> None:
        """Show a conversation, or an empty one; one left without a word is dropped."""
        left = self._conversation
        if left is not None and left.id != conversation:
            with told(self.troubled.emit):
                if self._store.discard_if_empty(left.id):
                    self.listed.emit()
        self._conversation = None if conversation is None else self._read(conversation)
        self.opened.emit(self._conversation, self.turns())

    def reopen(self) -> None:
        """Show the open conversation as it is on disk now."""
        if self._conversation is not None:
            self._conversation = self._read(self._conversation.id)
            self.reread.emit(self.turns())

    def ensure_conversation(self, *, thinking: bool) -> Conversation:
        """The open conversation, made where it is new."""
        if self._conversation is None:
            self._conversation = self._store.create_conversation(thinking=thinking)
            self.listed.emit()
        return self._conversation

    def rename(self, conversation: int, title: str) -> None:
        """Another title.

        Raises:
            StoreError: it cannot be kept.
        """
        self._store.rename(conversation, title)
        if self._conversation is not None and self._is_open(conversation):
            self._conversation = self._read(conversation)
        self.listed.emit()

    def leave(self, conversation: int) -> None:
        """A conversation goes: its answer ends, and what waits stays in its draft."""
        self.outbox.leave(conversation)
        if self.answer.conversation == conversation:
            self.answer.stop()
        if self._is_open(conversation):
            self.open(None)

    def set_thinking(self, on: bool) -> None:
        """The open conversation's toggle."""
        with told(self.troubled.emit):
            if self._conversation is not None:
                self._store.set_thinking(self._conversation.id, on)
                self._conversation = replace(self._conversation, thinking=on)

    def send(
        self,
        text: str,
        attachments: tuple[Attachment, ...] = (),
        *,
        editing: int | None = None,
    ) -> None:
        """Ask in the open conversation; waits in the queue while the model is busy.

        `editing` is the question that this one takes the place of.

        Raises:
            StoreError: it cannot be kept, and was not asked.
        """
        assert self._conversation is not None
        message = Waiting(self._conversation.id, text, attachments, editing)
        if self.busy or self._engine.state.phase == "loading":
            self.outbox.add(message)
        else:
            self._put(message)

    def regenerate(self, turn: int) -> None:
        """Another answer to the same question, beside the first."""
        with told(self.troubled.emit):
            answer = self._store.turn(turn)
            if answer.parent is None or self._conversation is None:
                return
            if not self._is_free():
                return
            path = _before(self._store.path(self._conversation.id), turn)
            self._ask(self._conversation.id, path, shown=False)
            self.reopen()

    def go_on(self, turn: int) -> None:
        """Continue an answer that was cut."""
        with told(self.troubled.emit):
            if self._conversation is None or not self._is_free():
                return
            path = self._store.path(self._conversation.id)
            places = [place for place, each in enumerate(path) if each.id == turn]
            if not places:
                return
            resumed = self._store.resume(turn)
            self.turn_changed.emit(resumed)
            before = path[: places[0] + 1]
            self.answer.begin(
                resumed, self._conversation.id, before, continue_reply=True
            )

    def show_variant(self, turn: int, step: int) -> None:
        """Show the answer or question before or after this one."""
        with told(self.troubled.emit):
            self._store.choose_variant(turn, step)
            self.reopen()

    def delete_turn(self, turn: int) -> None:
        """Remove a turn and what follows it; what is being written is stopped first."""
        with told(self.troubled.emit):
            if self._conversation is None:
                return
            written = self.answer.turn
            if written is not None and self._is_under(written, turn):
                self._doomed = turn
                self.answer.stop()
                return
            self._deleted(self._store.delete_turn(turn))
            self.reopen()

    def keep_draft(self, text: str, attachments: tuple[Attachment, ...]) -> None:
        """What stands in the open conversation's composer goes on disk."""
        if self._conversation is not None:
            self.outbox.keep_draft(self._conversation.id, text, attachments)

    def _read(self, number: int) -> Conversation:
        return self.outbox.with_own_draft(self._store.conversation(number))

    def _put(self, message: Waiting) -> None:
        """A message becomes a question, and is asked."""
        number, editing = message.conversation, message.editing
        # Read once: it may have thousands of turns.
        path = self._store.path(number)
        if editing is not None and not any(turn.id == editing for turn in path):
            editing = None  # it was deleted meanwhile: the words are a new question
        if editing is not None:
            path = _before(path, editing)
            parent = self._store.turn(editing).parent
        else:
            parent = path[-1].id if path else None
        question = self._store.add_question(
            number, parent, message.text, message.attachments
        )
        shown = self._is_open(number)
        if shown:
            self._conversation = self._read(number)
        if shown and editing is None:
            self.turn_added.emit(question)
        self._ask(number, (*path, question), shown=editing is None)
        if shown and editing is not None:
            self.reopen()
        self.listed.emit()

    def _ask(
        self, conversation: int, turns: tuple[Turn, ...], *, shown: bool = True
    ) -> None:
        """Have the last of these turns answered."""
        title = self._engine.state.title
        answer = self._store.add_answer(conversation, turns[-1].id, title)
        if shown and self._is_open(conversation):
            self.turn_added.emit(answer)
        self.answer.begin(answer, conversation, turns)

    def _is_free(self) -> bool:
        """Whether the model can answer at once; says so where it cannot."""
        phase = self._engine.state.phase
        if self.busy or phase in ("loading", "working"):
            self.troubled.emit(self.tr("The model is busy. Try again in a moment."))
        # Where there is no model the window says so already.
        return not self.busy and phase == "ready"

    def restore_turn(self, branch: Branch) -> None:
        """Undo `delete_turn`."""
        with told(self.troubled.emit):
            self._store.restore_turn(branch)
            if self._is_open(branch.conversation):
                self.reopen()
            self.listed.emit()

    def _deleted(self, branch: Branch) -> None:
        self.turns_deleted.emit(branch)
        self.listed.emit()

    def _is_under(self, turn: int, above: int) -> bool:
        """Whether a turn is another or follows it, shown or not."""
        at: int | None = turn
        while at is not None and at != above:
            at = self._store.turn(at).parent
        return at is not None

    def _is_open(self, conversation: int) -> bool:
        return self._conversation is not None and self._conversation.id == conversation

    # The answer under way.

    def _begun(self) -> None:
        self.busy_changed.emit(True)

    def _progressed(self, conversation: int, progress: protocol.Progress) -> None:
        if self._is_open(conversation):
            self.progressed.emit(progress)

    def _said(self, conversation: int, turn: int, channel: str, words: str) -> None:
        if self._is_open(conversation):
            self.progressed.emit(None)
            self.said.emit(turn, channel, words)

    def _ended(self, conversation: int, turn: int) -> None:
        with told(self.troubled.emit):
            if self._is_open(conversation):
                self.progressed.emit(None)
                self.turn_changed.emit(self._store.turn(turn))
        self._delete_doomed(conversation)
        self.busy_changed.emit(False)
        self.listed.emit()
        self._send_next()

    def _delete_doomed(self, conversation: int) -> None:
        with told(self.troubled.emit):
            doomed, self._doomed = self._doomed, None
            if doomed is not None:
                self._deleted(self._store.delete_turn(doomed))
                if self._is_open(conversation):
                    self.reopen()

    def _engine_changed(self, state: EngineState) -> None:
        if state.phase == "ready":
            self._send_next()

    def _send_next(self) -> None:
        if self.busy or self._engine.state.phase != "ready":
            return
        message = self.outbox.take()
        if message is None:
            return
        try:
            self._put(message)
        except StoreError as error:
            self.outbox.put_back(message)
            self.troubled.emit(str(error))
        else:
            self.outbox.settle(message)


def _before(path: tuple[Turn, ...], turn: int) -> tuple[Turn, ...]:
    """What stands before a turn; all of it where the turn is not on the path."""
    places = [place for place, each in enumerate(path) if each.id == turn]
    return path[: places[0]] if places else path
