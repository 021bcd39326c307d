import pytest
from PySide6.QtCore import QEvent, QMimeData, QObject, Qt
from PySide6.QtGui import QImage, QInputMethodEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.ui.composer.field import MOST_CHARACTERS, MOST_LINES, MessageField
from app.ui.composer.pasted import MOST_SHOWN
from app.ui.theme import Theme

SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def field(qapp: QApplication, qapp_theme: Theme) -> MessageField:
    qapp_theme.apply("light")
    field = MessageField()
    field.resize(400, 40)
    field.show()
    qapp.processEvents()
    yield field
    field.close()
    field.deleteLater()


def heard(signal: object) -> list:
    found: list = []
    signal.connect(lambda *values: found.append(values))
    return found


def test_enter_submits_and_leaves_the_words(field: MessageField) -> None:
    submitted = heard(field.submitted)
    QTest.keyClicks(field, "hello")
    QTest.keyClick(field, Qt.Key.Key_Return)
    QTest.keyClick(field, Qt.Key.Key_Enter)
    assert len(submitted) == 2
    assert field.toPlainText() == "hello"


def test_shift_and_enter_break_the_line(field: MessageField) -> None:
    submitted = heard(field.submitted)
    QTest.keyClicks(field, "a")
    QTest.keyClick(field, Qt.Key.Key_Return, SHIFT)
    QTest.keyClicks(field, "b")
    assert field.toPlainText() == "a\nb"
    assert not submitted


def test_keys_belong_to_the_input_method_while_it_composes(field: MessageField) -> None:
    submitted, cancelled = heard(field.submitted), heard(field.cancelled)
    QApplication.sendEvent(field, QInputMethodEvent("にほ", []))
    QTest.keyClick(field, Qt.Key.Key_Escape)
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert not submitted
    assert not cancelled
    done = QInputMethodEvent("", [])
    done.setCommitString("日本")
    QApplication.sendEvent(field, done)
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert len(submitted) == 1
    assert field.toPlainText().strip() == "日本"


def test_up_asks_for_the_last_message_only_in_an_empty_field(
    field: MessageField,
) -> None:
    asked = heard(field.earlier_requested)
    QTest.keyClick(field, Qt.Key.Key_Up)
    assert len(asked) == 1
    QTest.keyClicks(field, "a")
    QTest.keyClick(field, Qt.Key.Key_Up)
    assert len(asked) == 1


def test_esc_cancels(field: MessageField) -> None:
    cancelled = heard(field.cancelled)
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert len(cancelled) == 1


def test_it_grows_to_eight_lines_and_then_scrolls(
    field: MessageField, qapp: QApplication
) -> None:
    heights = []
    for count in (1, 2, MOST_LINES, MOST_LINES + 5):
        field.setPlainText("\n".join("x" * count))
        qapp.processEvents()
        heights.append(field.height())
    line = heights[1] - heights[0]
    assert line >= field.fontMetrics().lineSpacing()
    assert heights[2] - heights[0] == line * (MOST_LINES - 1)
    assert heights[3] == heights[2]
    assert field.verticalScrollBar().maximum() > 0


def test_a_long_line_wraps_and_its_first_words_stay_in_sight(
    field: MessageField, qapp: QApplication
) -> None:
    before = field.height()
    field.insert_words("many words " * 12)
    qapp.processEvents()
    assert field.height() > before
    assert field.verticalScrollBar().value() == 0


@pytest.mark.parametrize("already", [0, 10])
def test_too_long_a_text_is_refused_before_it_is_put_in(
    field: MessageField, already: int
) -> None:
    field.setPlainText("x" * already)
    refused = heard(field.too_long)
    text = "y" * (MOST_CHARACTERS - already + 1)
    field.insert_words(text)
    assert refused == [(len(text),)]
    assert field.toPlainText() == "x" * already


def test_a_long_text_is_not_put_in_but_said(field: MessageField) -> None:
    refused, long = heard(field.too_long), heard(field.long_pasted)
    field.insert_words("w" * MOST_SHOWN)
    assert len(field.toPlainText()) == MOST_SHOWN
    for text in ("word\n" * (MOST_SHOWN // 5 + 1), "x" * (MOST_CHARACTERS // 2)):
        field.insert_words(text)
        assert long.pop() == (text,)
    assert len(field.toPlainText()) == MOST_SHOWN
    assert not refused


def test_a_short_text_goes_into_a_long_field(field: MessageField) -> None:
    long = heard(field.long_pasted)
    field.setPlainText("w" * 3 * MOST_SHOWN)
    field.insert_words("short")
    assert field.toPlainText().startswith("short")
    field.insert_words("y" * 2000)
    assert long == [("y" * 2000,)]


def test_a_pasted_picture_is_an_attachment(field: MessageField) -> None:
    pasted = heard(field.sources_pasted)
    mime = QMimeData()
    mime.setImageData(QImage(4, 4, QImage.Format.Format_RGB32))
    field.insertFromMimeData(mime)
    assert len(pasted[0][0].images) == 1
    assert field.toPlainText() == ""


def test_text_is_meant_where_a_picture_of_it_comes_along(field: MessageField) -> None:
    pasted = heard(field.sources_pasted)
    mime = QMimeData()
    mime.setText("A1\tB1")
    mime.setImageData(QImage(4, 4, QImage.Format.Format_RGB32))
    field.insertFromMimeData(mime)
    assert field.toPlainText() == "A1\tB1"
    assert not pasted


def test_formatted_text_is_pasted_plain(field: MessageField) -> None:
    mime = QMimeData()
    mime.setHtml("<b>bold</b>")
    mime.setText("bold")
    field.insertFromMimeData(mime)
    assert field.toPlainText() == "bold"


def test_the_hint_that_fits_is_shown(field: MessageField, qapp: QApplication) -> None:
    field.set_hints("A hint of quite a few words for a wide window", "Short")
    field.resize(800, field.height())
    qapp.processEvents()
    assert field.placeholderText().startswith("A hint")
    field.resize(120, field.height())
    qapp.processEvents()
    assert field.placeholderText() == "Short"


class Paints(QObject):
    """Counts how often a widget is painted."""

    count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: ARG002
        self.count += event.type() == QEvent.Type.Paint
        return False


def test_another_hint_is_painted_at_once(field: MessageField, wait_until) -> None:
    field.set_hints("Ask a question")
    paints = Paints()
    field.viewport().installEventFilter(paints)
    QApplication.processEvents()
    before = paints.count
    field.set_hints("Next message")
    assert field.placeholderText() == "Next message"
    wait_until(lambda: paints.count > before)
