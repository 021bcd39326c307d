"""A Qt application without a screen, and waiting that spins its event loop."""

import os
import time
from collections.abc import Callable

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication

from app.application import Application
from app.ui.theme import Theme


@pytest.fixture(scope="session")
def qapp() -> QApplication:
    found = QApplication.instance()
    return found if isinstance(found, QApplication) else Application(["tests"])


@pytest.fixture(scope="session")
def qapp_theme(qapp: QApplication) -> Theme:
    theme = Theme(qapp)
    theme.apply("light")
    return theme


@pytest.fixture
def wait_until(qapp: QApplication) -> Callable[..., None]:
    """`wait_until(predicate, timeout=10)` lets Qt work until the predicate holds."""

    def wait(predicate: Callable[[], object], timeout: float = 10.0) -> None:
        end = time.monotonic() + timeout
        while not predicate():
            if time.monotonic() > end:
                pytest.fail(f"nothing happened for {timeout} s")
            qapp.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)

    return wait
