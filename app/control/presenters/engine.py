"""How the model's process is doing, wherever the window shows it."""

from __future__ import annotations

from PySide6.QtCore import QObject

from ...models import EngineState
from ..parts import Parts


class EnginePresenter(QObject):
    """Shows the model's state, and offers help where it failed."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        self._noticed = False
        self._restarts = False
        self._counts = "demo"  # whose processor counts
        parts.engine.state_changed.connect(self._changed)
        parts.talk.opened.connect(self._tell)
        self._changed(parts.engine.state)

    def _changed(self, state: EngineState) -> None:
        window = self._parts.window
        window.sidebar.set_engine(state)
        window.header.set_engine(state)
        window.models.set_engine(state)
        loaded = state.phase in ("ready", "working")
        window.empty.set_model(
            state.title if loaded or state.phase == "loading" else "",
            is_demo=state.model == "demo",
        )
        window.transcript.set_restartable(state.restartable)
        if state.phase == "ready" and state.model:
            if state.model != self._counts:
                self._counts = state.model
                self._parts.media.set_model(state.model)
                self._parts.draft.recount()
            self._parts.settings.change(last_model=state.model)
        self._tell()

    def _tell(self) -> None:
        """Say over the conversation why there is no model, unless its end does."""
        state, notices = self._parts.engine.state, self._parts.window.notices
        failed = state.phase == "failed" and state.problem is not None
        if failed:
            last = self._parts.talk.turns()[-1:]
            failed = not any(turn.error == state.problem for turn in last)
        if failed:
            self._restarts = state.restartable
            restart, choose = self.tr("Restart the model"), self.tr("Choose a model")
            words = restart if self._restarts else choose
            notices.say(state.problem or "", words, self._help)
            self._noticed = True
        elif self._noticed:
            self._noticed = False
            notices.hide()

    def _help(self) -> None:
        if self._restarts:
            self._parts.engine.restart()
        else:
            self._parts.window.show_page(self._parts.window.models)
