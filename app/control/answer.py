"""The answer under way: every word that comes is kept first and said second.

Knows the store and the model's process. Does not know which conversation is open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, QTimer, Signal

from ..conversation import Box, Stats, Turn, TurnState
from ..engine import protocol
from ..engine.client import EngineClient
from ..settings import SettingsKeeper
from ..store import Store, StoreError
from .questions import Question, boxes_of, options_of, question_of

_FLUSH_MS = 500
_STATES: dict[str, TurnState] = {
    "stop": "complete",
    "length": "cut",
    "cancelled": "stopped",
    "repetition": "looped",
}


@dataclass(frozen=True)
class _UnderWay:
    turn: int
    conversation: int
    question: Question
    before: Stats | None  # what the part took that it goes on from


class Answer(QObject):
    """Owner of the one answer that is being written, whichever conversation's it is."""

    begun = Signal()
    said = Signal(int, int, str, str)  # conversation, turn, channel, words
    progressed = Signal(int, object)  # conversation, protocol.Progress
    ended = Signal(int, int)  # conversation, turn
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
        self._under_way: _UnderWay | None = None
        self._flushing = QTimer(self, interval=_FLUSH_MS)
        self._flushing.timeout.connect(self.flush)
        engine.progressed.connect(self._progressed)
        engine.text.connect(self._text)
        engine.finished.connect(self._finished)
        engine.failed.connect(self._failed)

    @property
    def turn(self) -> int | None:
        """The turn that is being written."""
        return self._under_way.turn if self._under_way else None

    @property
    def conversation(self) -> int | None:
        """The conversation it belongs to."""
        return self._under_way.conversation if self._under_way else None

    def begin(
        self,
        answer: Turn,
        conversation: int,
        turns: tuple[Turn, ...],
        *,
        continue_reply: bool = False,
    ) -> None:
        """Have the last of `turns` answered, or continued, as `answer`."""
        settings = self._settings.settings
        thinking = self._store.conversation(conversation).thinking
        before = answer.stats if continue_reply else None
        self._under_way = _UnderWay(answer.id, conversation, Question((), ()), before)
        self._flushing.start()
        self.begun.emit()
        try:
            question = question_of(
                turns, system=settings.system_prompt, file_of=self._store.media.file_of
            )
        except StoreError as error:  # a file is gone
            self._end("failed", error=str(error))
            return
        self._under_way = replace(self._under_way, question=question)
        self._engine.ask(
            protocol.Ask(
                answer.id,
                question.messages,
                options_of(settings, thinking=thinking),
                continue_reply,
            )
        )

    def stop(self) -> None:
        """End it."""
        self._engine.stop()

    def answer_now(self) -> None:
        """Let the answer follow what was thought so far."""
        self._engine.answer_now()

    def flush(self) -> None:
        """Put every word on disk that has come."""
        try:
            self._store.flush()
        except StoreError as error:
            self.troubled.emit(str(error))
            return
        if self._under_way is None:
            self._flushing.stop()

    def _progressed(self, progress: protocol.Progress) -> None:
        if self._under_way is not None:
            self.progressed.emit(self._under_way.conversation, progress)

    def _text(self, text: protocol.Text) -> None:
        under_way = self._under_way
        if under_way is None or text.id != under_way.turn:
            return
        channel, words = text.channel, text.text
        if channel == "tool":
            channel, words = "answer", f"\n\n```\n{words}\n```\n\n"
        kept = "thinking" if channel == "thinking" else "text"
        self._store.append(under_way.turn, kept, words)
        self.said.emit(under_way.conversation, under_way.turn, channel, words)

    def _finished(self, finished: protocol.Finished) -> None:
        under_way = self._under_way
        if under_way is None or finished.id != under_way.turn:
            return
        boxes = boxes_of(under_way.question, finished.boxes)
        self._end(_STATES[finished.reason], finished=finished, boxes=boxes)

    def _failed(self, failed: protocol.Failed) -> None:
        if self._under_way is not None and failed.id == self._under_way.turn:
            self._end("failed", error=failed.message)

    def _end(
        self,
        state: TurnState,
        *,
        finished: protocol.Finished | None = None,
        boxes: tuple[Box, ...] | None = None,
        error: str | None = None,
    ) -> None:
        under_way, self._under_way = self._under_way, None
        assert under_way is not None
        try:
            self._store.finish(
                under_way.turn,
                state,
                stats=_together(under_way.before, finished.stats) if finished else None,
                boxes=boxes,
                error=error,
                thinking_seconds=finished.thinking_seconds if finished else None,
            )
        except StoreError as trouble:
            # It waits in memory, and the timer tries again.
            self.troubled.emit(str(trouble))
        self.ended.emit(under_way.conversation, under_way.turn)


def _together(before: Stats | None, now: Stats) -> Stats | None:
    """What both parts of an answer took; None where nothing is known of this one."""
    if now == Stats():  # it was ended from outside
        return before
    if before is None:
        return now
    return replace(
        now,
        generated_tokens=before.generated_tokens + now.generated_tokens,
        thinking_tokens=before.thinking_tokens + now.thinking_tokens,
    )
