"""The window's end of the model's process: starts it, asks it, notices when it dies.

Knows one process, one model and one question at a time. Does not know conversations:
each question brings its own. Nothing here waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from ..conversation import Stats
from ..models import EngineState
from ..processes.link import Ended, JsonProcess
from . import states
from .endings import problem_of
from .plain import NotUnderstood
from .protocol import (
    AnswerNow,
    Ask,
    Failed,
    Finished,
    Load,
    Loaded,
    Loading,
    Progress,
    Stop,
    Text,
    event_of,
    to_line,
)

_PATIENCE = 5000


class EngineClient(QObject):
    """The owner of the model's process.

    Every question that was taken ends with one `finished` or one `failed`; then the
    next may be asked, from their slots too, when `state` says "ready".
    """

    state_changed = Signal(object)  # EngineState
    progressed = Signal(object)  # protocol.Progress
    text = Signal(object)  # protocol.Text
    finished = Signal(object)  # protocol.Finished
    failed = Signal(object)  # protocol.Failed, of a question

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        command: Sequence[str] | None = None,
        patience: int = _PATIENCE,
    ) -> None:
        """`command` starts the process, `patience` is how long a stop may take (ms)."""
        super().__init__(parent)
        self._command = command
        self._state = EngineState()
        self._load: Load | None = None
        self._ask: Ask | None = None
        self._process: JsonProcess | None = None
        # A killed process whose memory is not free yet; the next one waits for it.
        self._leaving: JsonProcess | None = None
        self._patience = QTimer(self, singleShot=True, interval=patience)
        self._patience.timeout.connect(self._lose_patience)

    @property
    def state(self) -> EngineState:
        """How the model is doing."""
        return self._state

    @property
    def process_id(self) -> int:
        """The process's number, 0 while there is none."""
        return self._process.process_id if self._process is not None else 0

    def load(self, model: str, *, force: bool = False) -> None:
        """Load a model in place of the one before; the same one stays as it is."""
        in_use = self._state.phase in ("loading", "ready", "working")
        if in_use and self._load is not None and self._load.model == model:
            return
        dropped = self._take_question()
        self._begin(Load(model, force))
        self._drop(dropped, self.tr("Another model was loaded meanwhile."))

    def ask(self, request: Ask) -> None:
        """Ask; refused with `failed` unless the state is "ready"."""
        if self._state.phase != "ready" or self._process is None:
            words = self.tr("The model is not ready to answer.")
            self.failed.emit(Failed(request.id, "NotReady", words))
            return
        self._ask = request
        self._process.send(to_line(request))
        self._set_state(states.working(self._state))

    def stop(self) -> None:
        """End the answer under way; a process that does not listen is started anew."""
        if self._ask is None or self._process is None:
            return
        self._process.send(to_line(Stop(self._ask.id)))
        if not self._patience.isActive():
            self._patience.start()

    def answer_now(self) -> None:
        """Close the thinking under way and let the answer follow."""
        if self._ask is not None and self._process is not None:
            self._process.send(to_line(AnswerNow(self._ask.id)))

    def unload(self) -> None:
        """End the process, which frees all its memory."""
        dropped = self._take_question()
        self._kill()
        self._load = None
        self._set_state(EngineState())
        self._drop(dropped, self.tr("The model was unloaded meanwhile."))

    def restart(self) -> None:
        """Load the same model in a new process."""
        if self._load is None:
            return
        dropped = self._take_question()
        self._begin(self._load)
        self._drop(dropped, self.tr("The model was restarted meanwhile."))

    def shutdown(self) -> None:
        """End everything at once, without a word; for the end of the app."""
        self._take_question()
        self._kill()
        self._load = None
        self._state = EngineState()
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            leaving.deleteLater()

    def _begin(self, load: Load) -> None:
        self._load = load
        self._kill()
        self._set_state(states.loading(load))
        if self._leaving is None:
            self._start(load)

    def _start(self, load: Load) -> None:
        if self._command is None:
            process = JsonProcess(["--engine"], self)
        else:
            process = JsonProcess((), self, program=self._command)
        self._process = process
        process.received.connect(self._received)
        process.ended.connect(self._ended)
        process.start()
        process.send(to_line(load))

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.received.disconnect(self._received)
        process.ended.disconnect(self._ended)
        process.ended.connect(self._left)
        self._leaving = process
        process.kill()

    def _left(self) -> None:
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            leaving.deleteLater()
        if self._load is not None and self._state.phase == "loading":
            self._start(self._load)

    def _received(self, line: dict[str, Any]) -> None:
        try:
            event = event_of(line)
        except NotUnderstood:
            return
        current = None if self._ask is None else self._ask.id
        match event:
            case Loading():
                self._set_state(states.loaded_so_far(self._state, event))
            case Loaded():
                self._set_state(states.ready(event))
            case Failed(id=None):
                self._not_loaded(event)
            case Progress() if event.id == current:
                self.progressed.emit(event)
            case Text() if event.id == current:
                self.text.emit(event)
            case Finished() | Failed() if event.id == current:
                self._take_question()
                self._end(event, states.answered(self._state))

    def _not_loaded(self, event: Failed) -> None:
        if self._state.phase == "loading":
            self._kill()
            self._set_state(states.not_loaded(self._state, event))

    def _ended(self, ended: Ended) -> None:
        """The process is gone, though nobody wanted that."""
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        kind, problem = problem_of(ended)
        asked = self._take_question()
        failure = None if asked is None else Failed(asked.id, kind, problem)
        self._end(failure, states.died(self._state, problem))

    def _lose_patience(self) -> None:
        asked = self._take_question()
        if asked is None or self._load is None:
            return
        self._begin(self._load)
        # The person stopped it, which is no failure.
        self.finished.emit(Finished(asked.id, "cancelled", Stats()))

    def _take_question(self) -> Ask | None:
        """The question under way, no longer under way."""
        self._patience.stop()
        asked, self._ask = self._ask, None
        return asked

    def _drop(self, asked: Ask | None, problem: str) -> None:
        if asked is not None:
            self.failed.emit(Failed(asked.id, "Dropped", problem))

    def _end(self, event: Finished | Failed | None, state: EngineState) -> None:
        """A question's last word, then the state, which the next may have changed."""
        self._state = state
        if isinstance(event, Finished):
            self.finished.emit(event)
        elif event is not None:
            self.failed.emit(event)
        self.state_changed.emit(self._state)

    def _set_state(self, state: EngineState) -> None:
        if state != self._state:
            self._state = state
            self.state_changed.emit(state)
