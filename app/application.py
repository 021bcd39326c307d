"""The app from its start to its end: Qt, the look, the store, the window.

Knows the order of things. Does not know what they do.
"""

from __future__ import annotations

import gc
import sys
from importlib.resources import files
from pathlib import Path

from PySide6.QtCore import QEvent, QSettings, Signal
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication, QMessageBox

from .control.wiring import Wiring
from .engine.client import EngineClient
from .faults import Faults, log_native_crashes
from .garbage import GarbageCollector
from .paths import APP_NAME, data_folder, settings_file
from .settings import SettingsKeeper
from .store import Store, StoreError
from .ui.empty import Example
from .ui.main_window import NAME
from .ui.theme import Theme


class Application(QApplication):
    """Qt's application, which hears of files that are opened with it."""

    file_opened = Signal(str)

    def event(self, event: QEvent) -> bool:
        """A file from the Dock, or "Open with"."""
        if isinstance(event, QFileOpenEvent):
            self.file_opened.emit(event.file())
            return True
        return super().event(event)


def main() -> int:
    """Show the window until it is closed."""
    app = Application(sys.argv)
    GarbageCollector(app)
    app.setApplicationName(APP_NAME)
    app.setApplicationDisplayName(NAME)
    app.setStyle("Fusion")
    settings = SettingsKeeper(
        QSettings(str(settings_file()), QSettings.Format.IniFormat), app
    )
    theme = Theme(app)
    try:
        store = Store(data_folder())
    except StoreError as error:
        QMessageBox.critical(None, APP_NAME, str(error))
        return 1
    log_native_crashes()
    faults = Faults(app)
    wiring = start(app, theme, settings, store)
    faults.tell(wiring.tell_fault)
    app.file_opened.connect(lambda path: wiring.offer_paths((Path(path),)))
    named = tuple(Path(word) for word in app.arguments()[1:] if Path(word).exists())
    if named:
        wiring.offer_paths(named)
    return app.exec()


def start(
    app: QApplication, theme: Theme, settings: SettingsKeeper, store: Store
) -> Wiring:
    """Everything connected, the window shown, the last model loading."""
    wiring = Wiring(
        theme=theme,
        settings=settings,
        store=store,
        engine=EngineClient(app),
        examples=examples(),
        parent=app,
    )
    wiring.window.closing.connect(wiring.close)
    storage = QSettings(str(settings_file()), QSettings.Format.IniFormat)
    wiring.window.restore(storage.value("geometry"))
    wiring.window.closing.connect(
        lambda: storage.setValue("geometry", wiring.window.saveGeometry())
    )
    wiring.begin()
    wiring.window.show()
    # What is there now stays: looking through it for garbage takes 40 ms every time.
    gc.collect()
    gc.freeze()
    wiring.window.closing.connect(gc.unfreeze)
    return wiring


def examples() -> tuple[Example, ...]:
    """Questions that the demo answers, about the files it comes with."""
    media = Path(str(files("mlx_glm45v"))) / "demo" / "media"
    picture, changed, clip = (
        media / name for name in ("example.png", "changed.png", "example.mp4")
    )
    translate = QApplication.translate
    return (
        Example("image", translate("Example", "Where is the star?"), (picture,)),
        Example("images", translate("Example", "What changed?"), (picture, changed)),
        Example(
            "video", translate("Example", "Which way does the shape move?"), (clip,)
        ),
    )
