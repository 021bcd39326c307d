"""How a worker's process is started. The one place that knows its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal

from ..processes.link import JsonProcess


def start_worker(kind: str, parent: QObject) -> JsonProcess:
    """A running child of this kind, owned by `parent`."""
    process = JsonProcess(["--worker", kind], parent)
    process.start()
    return process


class ModelWorker(QObject):
    """A child that works on one model; its words carry the model's name.

    Nothing more is heard after `end`.
    """

    told = Signal(str, object)  # model, dict
    ended = Signal(str)

    def __init__(
        self, kind: str, model: str, request: Mapping[str, Any], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._over = False
        self._process = start_worker(kind, self)
        self._process.received.connect(self._received)
        self._process.ended.connect(self._ended)
        self._process.send({"model": model, **request})

    def end(self) -> None:
        """Kill the child, and go with it."""
        self._over = True
        self._process.kill()
        self.deleteLater()

    def _received(self, told: dict[str, Any]) -> None:
        if not self._over:
            self.told.emit(self._model, told)

    def _ended(self) -> None:
        if not self._over:
            self.ended.emit(self._model)
