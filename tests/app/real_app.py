"""The whole app without a screen: real window, real store, real model in its process.

Drives it as a person does, with keys, buttons and drops, and counts what is left of it
when it was closed.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QEventLoop,
    QMimeData,
    QPointF,
    QSettings,
    Qt,
    QTimer,
    QUrl,
)
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton, QWidget

import mlx_glm45v
from app.application import start
from app.control.presenters.viewer import ViewerPresenter
from app.control.wiring import Wiring
from app.conversation import Conversation, Turn
from app.paths import ENVIRONMENT, settings_file
from app.settings import SettingsKeeper
from app.store import Store
from app.ui.theme import Theme
from app.ui.transcript.answer import AnswerRow
from app.ui.transcript.problem import Problem
from app.ui.transcript.row import MessageRow
from tests.app.engine_talk import ENDLESS

MEDIA = Path(mlx_glm45v.__file__).parent / "demo" / "media"
PICTURE, CLIP = MEDIA / "example.png", MEDIA / "example.mp4"


def spin(predicate: Callable[[], object], what: str, timeout: float = 30.0) -> None:
    """Let Qt work until the predicate holds."""
    end = time.monotonic() + timeout
    # Wakes the loop, which rests in between: the model needs the processor more.
    waker = QTimer(interval=5)
    waker.start()
    flags = QEventLoop.ProcessEventsFlag.WaitForMoreEvents
    while not predicate():
        if time.monotonic() > end:
            pytest.fail(f"{what} did not happen within {timeout} s")
        QCoreApplication.processEvents(flags)


def children() -> set[int]:
    """The processes that this one has started and that still run."""
    told = subprocess.run(
        ["pgrep", "-P", str(os.getpid())], capture_output=True, text=True, check=False
    )
    return {int(number) for number in told.stdout.split()}


def is_running(process: int) -> bool:
    """Whether a process, not ours perhaps, is there and no zombie."""
    told = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)],
        capture_output=True,
        text=True,
        check=False,
    )
    return bool(told.stdout.strip()) and not told.stdout.strip().startswith("Z")


def threads() -> int:
    """How many threads this process has; 0 where nobody can tell."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.exists() else 0


class RealApp:
    """One run of the app in a folder of its own, and hands to use it with."""

    def __init__(self, qapp: QApplication, look: Theme, **choices: object) -> None:
        storage = QSettings(str(settings_file()), QSettings.Format.IniFormat)
        self.settings = SettingsKeeper(storage, qapp)
        self.settings.change(**choices)
        self.store = Store(settings_file().parent)
        self.wiring: Wiring = start(qapp, look, self.settings, self.store)
        self.window, self.engine = self.wiring.window, self.wiring.parts.engine
        self.talk, self.draft = self.wiring.parts.talk, self.wiring.parts.draft
        self.composer, self.transcript = self.window.composer, self.window.transcript
        self.sidebar = self.window.sidebar
        presenter = self.wiring.findChild(ViewerPresenter)
        assert presenter is not None
        self.viewer = presenter.viewer

    def close(self) -> None:
        """As the window's own close button."""
        self.window.close()
        for each in (self.window, self.wiring, self.engine, self.settings):
            each.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)

    # The model.

    def ready(self, timeout: float = 60.0) -> None:
        spin(lambda: self.engine.state.phase == "ready", "the model's start", timeout)

    def idle(self) -> None:
        """Every answer and every waiting message is through."""
        spin(
            lambda: not self.talk.busy and not self.talk.outbox.waiting,
            "the answer's end",
        )

    # Writing.

    def write(self, text: str) -> None:
        self.composer.field.setPlainText(text)

    def press(self, key: Qt.Key, widget: QWidget | None = None) -> None:
        QTest.keyClick(widget or self.composer.field, key)

    def send(self, text: str) -> None:
        """Write and press Enter; the files have to be read for it."""
        spin(lambda: not self.draft.is_reading, "reading the files")
        self.write(text)
        self.press(Qt.Key.Key_Return)

    def ask(self, text: str) -> Turn:
        """A question with its whole answer."""
        self.send(text)
        self.idle()
        return self.talk.turns()[-1]

    def ask_endlessly(self) -> int:
        """An answer that streams until it is stopped; its turn, once it has words."""
        self.think(False)
        self.send(ENDLESS)
        spin(lambda: self.talk.busy and self.answer_text(), "the first word")
        return self.talk.turns()[-1].id

    def think(self, on: bool) -> None:
        if self.composer.tools.think.isChecked() != on:
            self.composer.tools.think.click()

    def stop(self) -> None:
        self.composer.tools.send.click()
        self.idle()

    def new(self) -> None:
        self.sidebar.new.click()

    # Seeing.

    def turns(self) -> tuple[Turn, ...]:
        return self.talk.turns()

    def answer_text(self) -> str:
        turns = self.talk.turns()
        return turns[-1].text if turns and turns[-1].role == "assistant" else ""

    def row(self, turn: int | None = None) -> MessageRow:
        """The widget of a message, the last one by default."""
        number = self.talk.turns()[-1].id if turn is None else turn
        spin(lambda: self.transcript.column.row(number) is not None, "the message")
        found = self.transcript.column.row(number)
        assert found is not None
        return found

    def answer_row(self, turn: int | None = None) -> AnswerRow:
        row = self.row(turn)
        assert isinstance(row, AnswerRow)
        return row

    def problem(self) -> Problem:
        """What went wrong with the last answer, once it is shown."""
        row = self.answer_row()
        spin(lambda: row.problem is not None, "the problem")
        assert row.problem is not None
        return row.problem

    def use(self, name: str, turn: int | None = None) -> None:
        """Press the button under a message that has this accessible name."""
        row = self.row(turn)
        spin(lambda: not self.transcript.busy, "building")
        row.tools.set_shown(True)
        buttons = row.tools.findChildren(QToolButton)
        (button,) = [each for each in buttons if each.accessibleName() == name]
        button.click()

    def listed(self) -> tuple[Conversation, ...]:
        return self.store.conversations()

    # Files.

    def drop(self, *paths: Path) -> None:
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        self.drop_data(mime)

    def drop_data(self, mime: QMimeData) -> None:
        """Drag over the window and let go."""
        copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
        none, at = Qt.KeyboardModifier.NoModifier, QPointF(400, 300)
        enter = QDragEnterEvent(at.toPoint(), copy, mime, left, none)
        assert QCoreApplication.sendEvent(self.window, enter)
        drop = QDropEvent(at, copy, mime, left, none)
        assert QCoreApplication.sendEvent(self.window, drop)

    def paste(self, mime: QMimeData) -> None:
        QGuiApplication.clipboard().setMimeData(mime)
        QTest.keyClick(
            self.composer.field, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier
        )
        # The clipboard would outlive Python and with it what it was given.
        QGuiApplication.clipboard().clear()

    def attached(self, count: int, timeout: float = 30.0) -> None:
        """So many files stand in the composer and are read."""
        spin(
            lambda: len(self.draft.items) == count and not self.draft.is_reading,
            f"reading {count} files",
            timeout,
        )
        spin(
            lambda: (
                len(self.composer.strip.cards) == count
                and not any(c.value.reading for c in self.composer.strip.cards)
            ),
            f"showing {count} cards",
        )

    def counted(self) -> int:
        """The tokens of the whole prompt, as the header says them."""
        spin(lambda: not self.draft.is_counting, "counting")
        used = self.window.header.context.toolTip().partition(" of ")[0]
        return int("".join(each for each in used if each.isdigit()))


@contextmanager
def running(
    folder: Path, qapp: QApplication, look: Theme, **choices: object
) -> Iterator[RealApp]:
    """The app, closed at the end; whatever it leaves behind fails the test."""
    before, threads_before = children(), threads()
    kept = os.environ.get(ENVIRONMENT)
    os.environ[ENVIRONMENT] = str(folder)
    try:
        app = RealApp(qapp, look, **choices)
        try:
            yield app
        finally:
            begun = time.monotonic()
            app.close()
            took = time.monotonic() - begun
        assert took < 1.5, f"closing took {took:.1f} s"
        spin(lambda: children() <= before, "the end of the app's processes")
        # Qt and NumPy keep a few threads of their own for the next who asks.
        spin(lambda: threads() <= threads_before + 4, "the end of the app's threads")
    finally:
        if kept is None:
            del os.environ[ENVIRONMENT]
        else:
            os.environ[ENVIRONMENT] = kept


class Heartbeat:
    """A timer's longest gap: for so long the window did not listen.

    `longest` is by the clock, where other processes count, too; `work` is the most that
    the window's own thread computed between two beats.
    """

    def __init__(self) -> None:
        self._timer = QTimer(interval=5)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self.longest = self.work = 0.0
        self._last = self._worked = 0.0

    def __enter__(self) -> Heartbeat:
        self.longest, self._last = 0.0, time.perf_counter()
        self.work, self._worked = 0.0, time.thread_time()
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self.work = max(self.work, worked - self._worked)
        self._last, self._worked = now, worked
