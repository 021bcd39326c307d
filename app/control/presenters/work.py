"""Tells `Awake` what works: answers, a model that loads, downloads and conversions."""

from __future__ import annotations

from PySide6.QtCore import QObject

from ...models import EngineState, Transfer
from ..awake import Awake
from ..parts import Parts


class WorkPresenter(QObject):
    """Owner of `Awake`."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self._awake = Awake(self)
        parts.engine.state_changed.connect(self._engine_changed)
        parts.talk.busy_changed.connect(self._answering)
        parts.transfers.changed.connect(self._transfers_changed)
        parts.window.closing.connect(self._awake.close)

    def _engine_changed(self, state: EngineState) -> None:
        self._awake.set_working("loading", state.phase == "loading")

    def _answering(self, busy: bool) -> None:
        self._awake.set_working("answer", busy)

    def _transfers_changed(self, transfers: tuple[Transfer, ...]) -> None:
        moving = any(each.state in ("running", "verifying") for each in transfers)
        self._awake.set_working("transfer", moving)
