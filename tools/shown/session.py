"""One run of the app at one scale: starts it, waits for it, takes the pictures.

Knows the window and its looks; what happens in it is `scenes`'.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEventLoop, QSettings
from PySide6.QtWidgets import QWidget

from app.application import Application, start
from app.control.wiring import Wiring
from app.paths import data_folder, settings_file
from app.settings import SettingsKeeper
from app.store import Store
from app.ui.theme import Theme

from .conversations import fill

MEDIA = Path(__file__).resolve().parents[2] / "mlx_glm45v" / "demo" / "media"
_PATIENCE = 60.0
# Until formulas, code and thumbnails of a new look have come from their threads.
_CALM = 0.25
# A window over another is so much smaller.
_OVER = 0.85


@dataclass(frozen=True)
class Look:
    """How the window looks in a picture."""

    theme: str
    width: int
    height: int
    font: float

    @property
    def name(self) -> str:
        """As it stands in a file's name."""
        large = f"-font{round(100 * self.font)}" if self.font != 1.0 else ""
        return f"{self.theme}-{self.width}{large}"


LOOKS = tuple(
    Look(theme, width, height, font)
    for theme in ("light", "dark")
    for width, height in ((1180, 780), (760, 620))
    for font in (1.0, 1.5)
)


class Session:
    """The running app, and where its pictures go."""

    def __init__(self, folder: Path, scale: int, only: list[str] | None) -> None:
        data = data_folder()
        fill(data, MEDIA / "example.png")
        self.scratch = data / "scratch"
        self.scratch.mkdir()
        self._folder, self._scale, self._only = folder, scale, only
        self.app = Application(sys.argv[:1])
        self.app.setStyle("Fusion")
        storage = QSettings(str(settings_file()), QSettings.Format.IniFormat)
        self.settings = SettingsKeeper(storage, self.app)
        self.settings.change(theme="light")
        theme, self.store = Theme(self.app), Store(data)
        self.wiring: Wiring = start(self.app, theme, self.settings, self.store)
        self.window = self.wiring.window
        self.window.activateWindow()
        self.counted = False
        self.wiring.parts.draft.counted.connect(self._count)

    def wait(self, what: str, holds: Callable[[], object]) -> None:
        """Let the app work until something holds.

        Raises:
            TimeoutError: it did not within a minute.
        """
        end = time.monotonic() + _PATIENCE
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {_PATIENCE:.0f} s")
            self.app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)

    def rest(self, seconds: float = _CALM) -> None:
        """Let the app work for a moment, and until its messages are built."""
        end = time.monotonic() + seconds
        self.wait("rest", lambda: time.monotonic() > end)
        self.wait("messages", lambda: not self.window.transcript.busy)

    def _count(self, used: int | None) -> None:
        self.counted = used is not None

    def wants(self, scene: str) -> bool:
        """Whether pictures of a scene were asked for."""
        return not self._only or scene in self._only

    def take(
        self,
        scene: str,
        again: Callable[[], None] | None = None,
        over: QWidget | None = None,
    ) -> None:
        """The window as it is, in every look; `again` follows each change of look.

        `over` is a window of its own over it, which is taken in its place.
        """
        if not self.wants(scene):
            return
        for look in LOOKS:
            self.settings.change(theme=look.theme, font_scale=look.font)
            self.window.resize(look.width, look.height)
            if over is not None:
                over.resize(self.window.size() * _OVER)
            self.rest()
            if again is not None:
                again()
                self.rest(0.1)
            path = self._folder / f"{scene}-{look.name}-{self._scale}x.png"
            if not (over or self.window).grab().save(str(path)):
                raise OSError(f"{path} cannot be written")
        print(f"{scene}, {self._scale}x", flush=True)
        first = LOOKS[0]
        self.settings.change(theme=first.theme, font_scale=first.font)
        self.window.resize(first.width, first.height)
        self.rest()

    def halt_model(self) -> None:
        """Let the model's process stand still, so that a moment can be looked at."""
        os.kill(self.wiring.parts.engine.process_id, signal.SIGSTOP)

    def resume_model(self) -> None:
        """Let it go on."""
        os.kill(self.wiring.parts.engine.process_id, signal.SIGCONT)

    def kill_model(self) -> None:
        """End it as the system does when memory is short."""
        os.kill(self.wiring.parts.engine.process_id, signal.SIGKILL)

    def close(self) -> None:
        """End the app as a person does."""
        self.window.close()
        self.app.processEvents()


def take(folder: Path, scale: int, only: list[str] | None) -> int:
    """All scenes of one run."""
    from .scenes import SCENES

    session = Session(folder, scale, only)
    try:
        session.wait(
            "model", lambda: session.wiring.parts.engine.state.phase == "ready"
        )
        for play in SCENES:
            play(session)
    finally:
        session.close()
    return 0
