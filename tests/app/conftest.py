"""A Qt application without a screen, and waiting that spins its event loop."""

import gc
import os
import time
from collections.abc import Callable, Iterator

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QProcess
from PySide6.QtWidgets import QApplication

from app.application import Application
from app.garbage import GarbageCollector
from app.ui.theme import Theme


@pytest.fixture(scope="module", autouse=True)
def _garbage(qapp: QApplication) -> Iterator[None]:
    """As in the app; what a module leaves behind ends with it, in this thread."""
    collector = GarbageCollector(qapp)
    yield
    gc.collect()
    collector.stop()
    collector.deleteLater()


@pytest.fixture(scope="session")
def qapp() -> Iterator[QApplication]:
    found = QApplication.instance()
    app = found if isinstance(found, QApplication) else Application(["tests"])
    yield app
    # What was killed last is not buried yet, and what was left running fails here.
    _spin(app, lambda: not _running(app), timeout=10)


def _running(app: QApplication) -> list[QProcess]:
    ended = QProcess.ProcessState.NotRunning
    return [each for each in app.findChildren(QProcess) if each.state() != ended]


@pytest.fixture(scope="session")
def qapp_theme(qapp: QApplication) -> Theme:
    theme = Theme(qapp)
    theme.apply("light")
    return theme


@pytest.fixture
def wait_until(qapp: QApplication) -> Callable[..., None]:
    """`wait_until(predicate, timeout=10)` lets Qt work until the predicate holds."""

    def wait(predicate: Callable[[], object], timeout: float = 10.0) -> None:
        _spin(qapp, predicate, timeout)

    return wait


def _spin(app: QApplication, predicate: Callable[[], object], timeout: float) -> None:
    end = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > end:
            pytest.fail(f"nothing happened for {timeout} s")
        app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
