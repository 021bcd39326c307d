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
from .trouble import told

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
    editing: int | None = None


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
        # What stands in the composers of conversations, without what waits.
        self._drafts: dict[int, tuple[str, tuple[Attachment, ...]]] = {}
        self._doomed: int | None = None
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
        self._conversation = None if conversation is None else self._read(conversation)
        self.opened.emit(self._conversation, self.turns())

    def _read(self, number: int) -> Conversation:
        conversation = self._store.conversation(number)
        if any(each.conversation == number for each in self._queue):
            text, attachments = self._drafts.get(number, ("", ()))
            conversation = replace(
                conversation, draft=text, draft_attachments=attachments
            )
        return conversation

    def ensure_conversation(self, *, thinking: bool) -> Conversation:
        """The open conversation, made where it is new."""
        if self._conversation is None:
            self._conversation = self._store.create_conversation(thinking=thinking)
            self.listed.emit()
        return self._conversation

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
            self._queue.append(message)
            self._tell_queue(message.conversation)
        else:
            self._put(message)

    def _put(self, message: Waiting) -> None:
        """A message becomes a question, and is asked."""
        number, editing = message.conversation, message.editing
        # Read once: it may have thousands of turns.
        path = self._store.path(number)
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
            self.open(number)
        self.listed.emit()

    def regenerate(self, turn: int) -> None:
        """Another answer to the same question, beside the first."""
        with told(self.troubled.emit):
            answer = self._store.turn(turn)
            if self.busy or answer.parent is None or self._conversation is None:
                return
            path = _before(self._store.path(self._conversation.id), turn)
            self._ask(self._conversation.id, path, shown=False)
            self.open(self._conversation.id)

    def go_on(self, turn: int) -> None:
        """Continue an answer that was cut."""
        with told(self.troubled.emit):
            if self.busy or self._conversation is None:
                return
            path = self._store.path(self._conversation.id)
            places = [place for place, each in enumerate(path) if each.id == turn]
            if not places:
                return
            resumed = self._store.resume(turn)
            self.turn_changed.emit(resumed)
            self._begin(
                resumed,
                self._conversation.id,
                path[: places[0] + 1],
                continue_reply=True,
            )

    def show_variant(self, turn: int, step: int) -> None:
        """Show the answer or question before or after this one."""
        with told(self.troubled.emit):
            if self._conversation is not None:
                self._store.choose_variant(turn, step)
                self.open(self._conversation.id)

    def delete_turn(self, turn: int) -> None:
        """Remove a turn and what follows it; what is being written is stopped first."""
        with told(self.troubled.emit):
            if self._conversation is None:
                return
            if self._answering is not None and self._is_under(
                self._answering.turn, turn
            ):
                self._doomed = turn
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
        self._tell_queue(self._queue[index].conversation)

    def remove_waiting(self, index: int) -> None:
        """Take a message out of the queue."""
        self._tell_queue(self._queue.pop(index).conversation)

    def keep_draft(self, text: str, attachments: tuple[Attachment, ...]) -> None:
        """What stands in the open conversation's composer goes on disk."""
        if self._conversation is not None:
            self._drafts[self._conversation.id] = text, attachments
            self._write_draft(self._conversation.id)

    def flush(self) -> None:
        """Put every word on disk that has come."""
        try:
            self._store.flush()
        except StoreError as error:
            self.troubled.emit(str(error))
            return
        if self._answering is None:
            self._flushing.stop()

    def _is_under(self, turn: int, above: int) -> bool:
        """Whether a turn is another or follows it, shown or not."""
        at: int | None = turn
        while at is not None and at != above:
            at = self._store.turn(at).parent
        return at is not None

    def _ask(
        self, conversation: int, turns: tuple[Turn, ...], *, shown: bool = True
    ) -> None:
        """Have the last of these turns answered."""
        title = self._engine.state.title
        answer = self._store.add_answer(conversation, turns[-1].id, title)
        if shown and self._is_open(conversation):
            self.turn_added.emit(answer)
        self._begin(answer, conversation, turns)

    def _begin(
        self,
        answer: Turn,
        conversation: int,
        turns: tuple[Turn, ...],
        *,
        continue_reply: bool = False,
    ) -> None:
        settings = self._settings.settings
        thinking = self._store.conversation(conversation).thinking
        self._answering = _Answering(answer.id, conversation, Question((), ()))
        self._flushing.start()
        self.busy_changed.emit(True)
        try:
            question = question_of(
                turns, system=settings.system_prompt, file_of=self._store.media.file_of
            )
        except StoreError as error:  # a file is gone
            self._end("failed", error=str(error))
            return
        self._answering = _Answering(answer.id, conversation, question)
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
        self._delete_doomed(answering.conversation)
        self.busy_changed.emit(False)
        self.listed.emit()
        self._send_next()

    def _delete_doomed(self, conversation: int) -> None:
        with told(self.troubled.emit):
            doomed, self._doomed = self._doomed, None
            if doomed is not None:
                self._store.delete_turn(doomed)
                if self._is_open(conversation):
                    self.open(conversation)

    def _engine_changed(self, state: EngineState) -> None:
        if state.phase == "ready":
            self._send_next()

    def _send_next(self) -> None:
        if self.busy or not self._queue or self._engine.state.phase != "ready":
            return
        waiting = self._queue.pop(0)
        try:
            self._put(waiting)
        except StoreError as error:
            self._queue.insert(0, waiting)
            self.troubled.emit(str(error))
        self._tell_queue(waiting.conversation)

    def _is_open(self, conversation: int) -> bool:
        return self._conversation is not None and self._conversation.id == conversation

    def _tell_queue(self, conversation: int) -> None:
        self._write_draft(conversation)
        self.queue_changed.emit(tuple(each.text for each in self._queue))

    def _write_draft(self, conversation: int) -> None:
        """What waits stands before the draft on disk: nothing is lost with the app."""
        text, attachments = self._drafts.get(conversation, ("", ()))
        waiting = [each for each in self._queue if each.conversation == conversation]
        texts = [each.text for each in waiting] + [text]
        media = [one for each in waiting for one in each.attachments]
        with told(self.troubled.emit):
            self._store.set_draft(
                conversation,
                "\n\n".join(filter(None, texts)),
                (*media, *attachments),
            )


def _before(path: tuple[Turn, ...], turn: int) -> tuple[Turn, ...]:
    """What stands before a turn; all of it where the turn is not on the path."""
    places = [place for place, each in enumerate(path) if each.id == turn]
    return path[: places[0]] if places else path
