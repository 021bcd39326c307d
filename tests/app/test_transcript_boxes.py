"""Boxes of an answer: the words light the box, the box lights the words."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPixmap, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.conversation import Box, Turn
from app.ui.theme import Theme
from app.ui.transcript import TranscriptView
from app.ui.transcript.answer import AnswerRow
from app.ui.transcript.prose import Prose

Wait = Callable[..., None]
TEXT = "The cat is at [[10, 10, 60, 60]] and the dog at [[100, 20, 180, 90]]."


def box(label: str, words: str, corners: tuple[int, int, int, int]) -> Box:
    start = TEXT.index(words)
    return Box(label, "d", None, *corners, 200, 100, start, start + len(words))


BOXES = (
    box("cat", "[[10, 10, 60, 60]]", (10, 10, 60, 60)),
    box("dog", "[[100, 20, 180, 90]]", (100, 20, 180, 90)),
)


@pytest.fixture
def view(qapp_theme: Theme) -> Iterator[TranscriptView]:
    picture = QPixmap(200, 100)
    picture.fill(Qt.GlobalColor.darkGreen)
    shown = TranscriptView(qapp_theme, lambda digest, page: picture)  # noqa: ARG005
    shown.resize(800, 600)
    shown.show()
    yield shown
    shown.shut_down()
    shown.close()
    shown.deleteLater()


@pytest.fixture
def row(view: TranscriptView, wait_until: Wait) -> AnswerRow:
    question = Turn(1, None, "user", "Where are they?")
    view.show_turns((question, Turn(2, 1, "assistant", TEXT, boxes=BOXES)))
    wait_until(lambda: view.column.slots.by_id(2).built and not view.busy)
    found = view.column.row(2)
    assert isinstance(found, AnswerRow)
    return found


def move(widget: QWidget, point: QPointF) -> None:
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        point,
        widget.mapToGlobal(point),
        none,
        none,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, event)


def place_of(page: Prose, words: str) -> QPointF:
    cursor = QTextCursor(page.document().find(words))
    cursor.setPosition((cursor.selectionStart() + cursor.selectionEnd()) // 2)
    return QPointF(page.cursorRect(cursor).center() + QPoint(1, 0))


def test_hovering_the_words_lights_their_box(row: AnswerRow) -> None:
    (picture,) = row.pictures
    page = row.findChild(Prose)
    move(page.viewport(), place_of(page, "[[100, 20, 180, 90]]"))
    assert picture.lit == 1
    assert page.lit_text() == "[[100, 20, 180, 90]]"
    move(page.viewport(), place_of(page, "The cat"))
    assert picture.lit == -1
    assert page.lit_text() == ""


def test_hovering_a_box_lights_its_words(row: AnswerRow) -> None:
    (picture,) = row.pictures
    page = row.findChild(Prose)
    move(picture, picture.box_rect(0).center())
    assert picture.lit == 0
    assert page.lit_text() == "[[10, 10, 60, 60]]"
    move(picture, QPointF(1, 1))
    assert page.lit_text() == ""


def test_keys_go_from_box_to_box(row: AnswerRow) -> None:
    (picture,) = row.pictures
    for expected in (0, 1, 0):
        QTest.keyClick(picture, Qt.Key.Key_Right)
        assert picture.lit == expected


def test_the_other_boxes_are_drawn_at_a_third(row: AnswerRow) -> None:
    (picture,) = row.pictures

    def edge(number: int) -> int:
        rect = picture.box_rect(number)
        shown = picture.grab().toImage()
        return shown.pixelColor(round(rect.left()), round(rect.center().y())).blue()

    all_strong = edge(1)
    picture.light(0)
    assert edge(1) < all_strong
    picture.light(1)
    assert edge(1) == all_strong


def test_coordinates_are_copied_and_the_picture_is_saved(
    view: TranscriptView, row: AnswerRow
) -> None:
    said: list[object] = []
    view.copy_requested.connect(said.append)
    view.save_picture_requested.connect(lambda *all_of_it: said.append(all_of_it))
    (picture,) = row.pictures
    picture.light(1)
    for action in picture.menu().actions():
        action.trigger()
    assert said == [
        "dog: [100, 20, 180, 90]",
        "cat: [10, 10, 60, 60]\ndog: [100, 20, 180, 90]",
        ("d", None, BOXES),
    ]
