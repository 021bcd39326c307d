"""The window's end of the model's process: starts it, asks it, notices when it dies.

Knows one process, one model and one question at a time. Does not know conversations:
each question brings its own. Nothing here waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from ..conversation import Stats
from ..models import EngineState
from ..processes.link import Ended, JsonProcess
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
    title_of,
    to_line,
)

_PATIENCE = 5000
# Trying again changes nothing about these.
_LASTING = ("CheckpointError", "NotEnoughMemory", "ValueError")


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
        self._begin(Load(model, force))
        self._drop("Unloaded", self.tr("Another model was loaded meanwhile."))

    def ask(self, request: Ask) -> None:
        """Ask; refused with `failed` unless the state is "ready"."""
        if self._state.phase != "ready" or self._process is None:
            words = self.tr("The model is not ready to answer.")
            self.failed.emit(Failed(request.id, "NotReady", words))
            return
        self._ask = request
        self._process.send(to_line(request))
        self._set_state(replace(self._state, phase="working"))

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
        self._kill()
        self._load = None
        self._set_state(EngineState())
        self._drop("Unloaded", self.tr("The model was unloaded meanwhile."))

    def restart(self) -> None:
        """Load the same model in a new process."""
        if self._load is not None:
            self._begin(self._load)
            self._drop("Restarted", self.tr("The model was restarted meanwhile."))

    def shutdown(self) -> None:
        """End everything at once, without a word; for the end of the app."""
        self._patience.stop()
        self._kill()
        self._ask = self._load = None
        self._state = EngineState()
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            leaving.deleteLater()

    def _begin(self, load: Load) -> None:
        self._load = load
        self._kill()
        self._set_state(
            EngineState("loading", model=load.model, title=title_of(load.model))
        )
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
                self._set_state(
                    replace(self._state, done=event.done, total=event.total)
                )
            case Loaded():
                self._set_loaded(event)
            case Failed(id=None):
                self._set_not_loaded(event)
            case Progress() if event.id == current:
                self.progressed.emit(event)
            case Text() if event.id == current:
                self.text.emit(event)
            case Finished() | Failed() if event.id == current:
                self._end(event, replace(self._state, phase="ready"))

    def _set_loaded(self, event: Loaded) -> None:
        self._set_state(
            EngineState(
                "ready",
                model=event.model,
                title=event.title,
                context_length=event.context_length,
                memory=event.memory,
                machine_memory=event.machine_memory,
            )
        )

    def _set_not_loaded(self, event: Failed) -> None:
        if self._state.phase != "loading":
            return
        self._kill()
        self._set_state(
            replace(
                self._state,
                phase="failed",
                problem=event.message,
                restartable=event.kind not in _LASTING,
                forceable=event.kind == "NotEnoughMemory",
            )
        )

    def _ended(self, ended: Ended) -> None:
        """The process is gone, though nobody wanted that."""
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        kind, problem = problem_of(ended)
        state = replace(
            self._state, phase="failed", problem=problem, restartable=True, memory=0
        )
        failure = None if self._ask is None else Failed(self._ask.id, kind, problem)
        self._end(failure, state)

    def _lose_patience(self) -> None:
        if self._ask is None or self._load is None:
            return
        # The person stopped it, which is no failure.
        ended = Finished(self._ask.id, "cancelled", Stats())
        self._ask = None
        self._begin(self._load)
        self.finished.emit(ended)

    def _drop(self, kind: str, problem: str) -> None:
        """The question under way will not be answered."""
        if self._ask is not None:
            self._end(Failed(self._ask.id, kind, problem), self._state)

    def _end(self, event: Finished | Failed | None, state: EngineState) -> None:
        """The question's last word, then the state, which the next may have changed."""
        self._patience.stop()
        self._ask = None
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
