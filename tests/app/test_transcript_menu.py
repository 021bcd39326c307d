"""A right click on a message: what can be done with it and with what is marked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QTextBrowser

from app.conversation import Turn
from app.ui.theme import Theme
from app.ui.transcript import TranscriptView
from app.ui.transcript.menu import message_menu
from app.ui.transcript.row import MessageRow

TEXT = "The **total** is 42.10, see [the shop](https://example.org).\n\nAnd more."

COPY_AND_END = """
from PySide6.QtWidgets import QApplication, QTextBrowser
from app.conversation import Turn
from app.ui.theme import Theme
from app.ui.transcript import TranscriptView

app = QApplication([])
view = TranscriptView(Theme(app), lambda *_: None)
view.resize(800, 600)
view.show()
view.show_turns((Turn(1, None, "assistant", "All **that** is said."),))
while view.busy or not view.findChildren(QTextBrowser):
    app.processEvents()
(page,) = view.findChildren(QTextBrowser)
page.selectAll()
page.copy()
data = app.clipboard().mimeData()
print(data.formats(), data.text())
view.shut_down()
"""


@pytest.fixture
def view(qapp_theme: Theme) -> Iterator[TranscriptView]:
    shown = TranscriptView(qapp_theme, lambda *_: None)
    shown.resize(800, 600)
    shown.show()
    shown.show_turns(
        (Turn(1, None, "user", "What is it?"), Turn(2, 1, "assistant", TEXT))
    )
    yield shown
    shown.shut_down()
    shown.close()
    shown.deleteLater()


def row(view: TranscriptView, turn: int, wait_until: Callable) -> MessageRow:
    wait_until(lambda: view.column.row(turn) is not None and not view.busy)
    found = view.column.row(turn)
    assert found is not None
    return found


def words(menu: QMenu) -> list[str]:
    return [action.text() for action in menu.actions() if action.text()]


def menu_of(message: MessageRow) -> QMenu:
    wishes, middle = message._shared.wishes, message.rect().center()
    return message_menu(message.turn, wishes, message, middle)


def test_an_answer_can_be_copied_asked_again_and_deleted(view, wait_until):
    message = row(view, 2, wait_until)
    copied: list[str] = []
    view.copy_requested.connect(copied.append)
    menu = menu_of(message)
    assert words(menu) == ["Copy message", "Ask again", "Delete"]
    menu.actions()[0].trigger()
    assert copied == [TEXT]


def test_a_question_can_be_edited(view, wait_until):
    edited: list[int] = []
    view.edit_requested.connect(edited.append)
    menu = menu_of(row(view, 1, wait_until))
    assert words(menu) == ["Copy message", "Edit and resend", "Delete"]
    next(each for each in menu.actions() if "Edit" in each.text()).trigger()
    assert edited == [1]


def test_what_is_marked_can_be_copied_alone(view, wait_until):
    message = row(view, 2, wait_until)
    page = message.findChildren(QTextBrowser)[0]
    cursor = page.textCursor()
    cursor.movePosition(QTextCursor.MoveOperation.Start)
    cursor.movePosition(
        QTextCursor.MoveOperation.NextWord, QTextCursor.MoveMode.KeepAnchor, 2
    )
    page.setTextCursor(cursor)
    menu = menu_of(message)
    assert words(menu)[0] == "Copy"
    menu.actions()[0].trigger()
    assert QGuiApplication.clipboard().text().strip() == "The total"


def test_what_was_copied_does_not_disturb_the_end():
    """The clipboard goes after Python: what it holds may need nothing of it."""
    done = subprocess.run(
        [sys.executable, "-c", COPY_AND_END], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['text/plain'] All that is said.\n"


def test_a_link_can_be_copied(view, wait_until):
    message = row(view, 2, wait_until)
    page = message.findChildren(QTextBrowser)[0]
    line = [page.mapTo(message, QPoint(x, 8)) for x in range(0, page.width(), 8)]
    wishes = message._shared.wishes
    offered = [
        "Copy link" in words(message_menu(message.turn, wishes, message, spot))
        for spot in line
    ]
    assert any(offered)
    assert not all(offered)


def test_a_right_click_on_the_words_opens_the_messages_menu(view, wait_until, qapp):
    message = row(view, 2, wait_until)
    page = message.findChildren(QTextBrowser)[0].viewport()
    middle = page.rect().center()
    at = page.mapToGlobal(middle)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, middle, at)
    qapp.notify(page, event)
    wait_until(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert "Copy message" in words(menu)
    menu.close()


def test_the_copy_key_copies_a_message_that_has_the_focus(view, wait_until):
    copied: list[str] = []
    view.copy_requested.connect(copied.append)
    message = row(view, 2, wait_until)
    message.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(message, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert copied == [TEXT]
