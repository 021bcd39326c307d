"""The conversation that is open, and the answer under way (perhaps to another one).

Knows the store and the model's process: every word that comes is kept first and shown
second. Does not know widgets, drafts or files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, QTimer, Signal

from ..conversation import Attachment, Box, Conversation, Turn, TurnState
from ..engine import protocol
from ..engine.client import EngineClient
from ..models import EngineState
from ..settings import SettingsKeeper
from ..store import Store, StoreError
from .questions import Question, boxes_of, options_of, question_of

_FLUSH_MS = 500
_STATES: dict[str, TurnState] = {
    "stop": "complete",
    "length": "cut",
    "cancelled": "stopped",
}


@dataclass(frozen=True)
class Waiting:
    """A message that is sent when the answer under way has ended."""

    conversation: int
    text: str
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True)
class _Answering:
    turn: int
    conversation: int
    question: Question


class Talk(QObject):
    """Owner of the open conversation, the queue and the answer under way."""

    opened = Signal(object, object)  # Conversation, tuple[Turn, ...]
    listed = Signal()  # titles, order or number of conversations are others now
    turn_added = Signal(object)  # Turn
    turn_changed = Signal(object)  # Turn
    said = Signal(int, str, str)  # turn, "thinking" or "answer", words
    progressed = Signal(object)  # protocol.Progress, None when that is over
    busy_changed = Signal(bool)
    queue_changed = Signal(object)  # tuple[str, ...]
    troubled = Signal(str)  # what went wrong with the store, in plain words

    def __init__(
        self,
        store: Store,
        engine: EngineClient,
        settings: SettingsKeeper,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._engine, self._settings = store, engine, settings
        self._conversation: Conversation | None = None
        self._answering: _Answering | None = None
        self._queue: list[Waiting] = []
        self._flushing = QTimer(self, interval=_FLUSH_MS)
        self._flushing.timeout.connect(self.flush)
        engine.progressed.connect(self._progressed)
        engine.text.connect(self._text)
        engine.finished.connect(self._finished)
        engine.failed.connect(self._failed)
        engine.state_changed.connect(self._engine_changed)

    @property
    def conversation(self) -> Conversation | None:
        """The one that is open, None for a new one that has no word yet."""
        return self._conversation

    @property
    def busy(self) -> bool:
        """Whether an answer is under way, whoever it is for."""
        return self._answering is not None

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """What will be sent next."""
        return tuple(self._queue)

    def turns(self) -> tuple[Turn, ...]:
        """What is shown of the open conversation."""
        if self._conversation is None:
            return ()
        return self._store.path(self._conversation.id)

    def open(self, conversation: int | None) -> None:
        """Show a conversation, or an empty one."""
        self._conversation = (
            None if conversation is None else self._store.conversation(conversation)
        )
        self.opened.emit(self._conversation, self.turns())

    def ensure_conversation(self, *, thinking: bool) -> Conversation:
        """The open conversation, made where it is new."""
        if self._conversation is None:
            self._conversation = self._store.create_conversation(thinking=thinking)
            self.listed.emit()
        return self._conversation

    def set_thinking(self, on: bool) -> None:
        """The open conversation's toggle."""
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
        """
        assert self._conversation is not None
        conversation = self._conversation.id
        if self.busy or self._engine.state.phase == "loading":
            if editing is None:
                self._queue.append(Waiting(conversation, text, attachments))
                self._tell_queue()
            return
        if editing is not None:
            parent = self._store.turn(editing).parent
        else:
            path = self._store.path(conversation)
            parent = path[-1].id if path else None
        question = self._store.add_question(conversation, parent, text, attachments)
        self.listed.emit()
        self._conversation = self._store.conversation(conversation)
        if editing is None:
            self.turn_added.emit(question)
            self._ask(conversation, question.id)
        else:
            self._ask(conversation, question.id, shown=False)
            self.open(conversation)

    def regenerate(self, turn: int) -> None:
        """Another answer to the same question, beside the first."""
        answer = self._store.turn(turn)
        if self.busy or answer.parent is None or self._conversation is None:
            return
        self._ask(self._conversation.id, answer.parent, shown=False)
        self.open(self._conversation.id)

    def go_on(self, turn: int) -> None:
        """Continue an answer that was cut."""
        if self.busy or self._conversation is None:
            return
        path = self._store.path(self._conversation.id)
        places = [place for place, each in enumerate(path) if each.id == turn]
        if not places:
            return
        resumed = self._store.resume(turn)
        self.turn_changed.emit(resumed)
        self._begin(
            resumed, self._conversation.id, path[: places[0] + 1], continue_reply=True
        )

    def show_variant(self, turn: int, step: int) -> None:
        """Show the answer or question before or after this one."""
        if self._conversation is not None:
            self._store.choose_variant(turn, step)
            self.open(self._conversation.id)

    def delete_turn(self, turn: int) -> None:
        """Remove a turn and what follows it; not the one that is being written."""
        if self._conversation is None:
            return
        under = {each.id for each in self._after(turn)}
        if self._answering is not None and self._answering.turn in under:
            self._engine.stop()
            return
        self._store.delete_turn(turn)
        self.open(self._conversation.id)

    def stop(self) -> None:
        """End the answer under way."""
        self._engine.stop()

    def answer_now(self) -> None:
        """Let the answer follow what was thought so far."""
        self._engine.answer_now()

    def edit_waiting(self, index: int, text: str) -> None:
        """Change a message of the queue."""
        self._queue[index] = replace(self._queue[index], text=text)
        self._tell_queue()

    def remove_waiting(self, index: int) -> None:
        """Take a message out of the queue."""
        del self._queue[index]
        self._tell_queue()

    def flush(self) -> None:
        """Put every word on disk that has come."""
        try:
            self._store.flush()
        except StoreError as error:
            self.troubled.emit(str(error))
            return
        if self._answering is None:
            self._flushing.stop()

    def _after(self, turn: int) -> list[Turn]:
        turns = list(self.turns())
        places = [place for place, each in enumerate(turns) if each.id == turn]
        return turns[places[0] :] if places else []

    def _ask(self, conversation: int, question: int, *, shown: bool = True) -> None:
        title = self._engine.state.title
        answer = self._store.add_answer(conversation, question, title)
        if shown and self._is_open(conversation):
            self.turn_added.emit(answer)
        path = self._store.path(conversation)
        self._begin(answer, conversation, path[:-1])

    def _begin(
        self,
        answer: Turn,
        conversation: int,
        turns: tuple[Turn, ...],
        *,
        continue_reply: bool = False,
    ) -> None:
        settings = self._settings.settings
        question = question_of(
            turns, system=settings.system_prompt, file_of=self._store.media.file_of
        )
        thinking = self._store.conversation(conversation).thinking
        self._answering = _Answering(answer.id, conversation, question)
        self._flushing.start()
        self.busy_changed.emit(True)
        self._engine.ask(
            protocol.Ask(
                answer.id,
                question.messages,
                options_of(settings, thinking=thinking),
                continue_reply,
            )
        )

    def _progressed(self, progress: protocol.Progress) -> None:
        if self._answering is not None and self._is_open(self._answering.conversation):
            self.progressed.emit(progress)

    def _text(self, text: protocol.Text) -> None:
        answering = self._answering
        if answering is None or text.id != answering.turn:
            return
        channel, words = text.channel, text.text
        if channel == "tool":
            channel, words = "answer", f"\n\n```\n{words}\n```\n\n"
        kept = "thinking" if channel == "thinking" else "text"
        self._store.append(answering.turn, kept, words)
        if self._is_open(answering.conversation):
            self.progressed.emit(None)
            self.said.emit(answering.turn, channel, words)

    def _finished(self, finished: protocol.Finished) -> None:
        answering = self._answering
        if answering is None or finished.id != answering.turn:
            return
        boxes = boxes_of(answering.question, finished.boxes)
        self._end(_STATES[finished.reason], finished=finished, boxes=boxes)

    def _failed(self, failed: protocol.Failed) -> None:
        if self._answering is not None and failed.id == self._answering.turn:
            self._end("failed", error=failed.message)

    def _end(
        self,
        state: TurnState,
        *,
        finished: protocol.Finished | None = None,
        boxes: tuple[Box, ...] = (),
        error: str | None = None,
    ) -> None:
        answering, self._answering = self._answering, None
        assert answering is not None
        try:
            self._store.finish(
                answering.turn,
                state,
                stats=finished.stats if finished else None,
                boxes=boxes,
                error=error,
                thinking_seconds=finished.thinking_seconds if finished else None,
            )
        except StoreError as trouble:
            # It waits in memory, and the timer tries again.
            self.troubled.emit(str(trouble))
        if self._is_open(answering.conversation):
            self.progressed.emit(None)
            self.turn_changed.emit(self._store.turn(answering.turn))
        self.busy_changed.emit(False)
        self.listed.emit()
        self._send_next()

    def _engine_changed(self, state: EngineState) -> None:
        if state.phase == "ready":
            self._send_next()

    def _send_next(self) -> None:
        if self.busy or not self._queue or self._engine.state.phase != "ready":
            return
        waiting = self._queue.pop(0)
        self._tell_queue()
        path = self._store.path(waiting.conversation)
        parent = path[-1].id if path else None
        question = self._store.add_question(
            waiting.conversation, parent, waiting.text, waiting.attachments
        )
        if self._is_open(waiting.conversation):
            self.turn_added.emit(question)
        self._ask(waiting.conversation, question.id)
        self.listed.emit()

    def _is_open(self, conversation: int) -> bool:
        return self._conversation is not None and self._conversation.id == conversation

    def _tell_queue(self) -> None:
        self.queue_changed.emit(tuple(each.text for each in self._queue))
