from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget

from app.ui.composer import CardValue, Composer, Offered, WaitingValue
from app.ui.theme import Theme


@pytest.fixture
def composer(qapp: QApplication, qapp_theme: Theme) -> Composer:
    window = QWidget()
    column = QVBoxLayout(window)
    composer = Composer(qapp_theme, window)
    column.addWidget(composer)
    column.addStretch()
    window.resize(760, 500)
    window.show()
    window.activateWindow()
    qapp.processEvents()
    yield composer
    window.close()
    window.deleteLater()


def heard(signal: object) -> list:
    found: list = []
    signal.connect(lambda *values: found.append(values))
    return found


def test_enter_and_send_say_the_words(composer: Composer) -> None:
    sent = heard(composer.send_requested)
    composer.set_text("What is this?\n")
    QTest.keyClick(composer.field, Qt.Key.Key_Return)
    composer.tools.send.click()
    assert sent == [("What is this?",), ("What is this?",)]


def test_nothing_is_sent_without_words_or_a_usable_attachment(
    composer: Composer,
) -> None:
    sent = heard(composer.send_requested)
    broken = CardValue("a", "a.png", "image", problem="Not a picture.")
    composer.set_text("  \n ")
    composer.set_attachments((broken,))
    QTest.keyClick(composer.field, Qt.Key.Key_Return)
    assert not sent
    assert not composer.tools.send.isEnabled()
    composer.set_attachments((broken, CardValue("b", "b.png", "image")))
    assert composer.tools.send.isEnabled()
    QTest.keyClick(composer.field, Qt.Key.Key_Return)
    assert sent == [("",)]


def test_a_reason_blocks_send_and_is_read_out(composer: Composer) -> None:
    sent = heard(composer.send_requested)
    composer.set_text("words")
    composer.set_blocked("A file is still being read.")
    send = composer.tools.send
    assert not send.isEnabled()
    assert send.toolTip() == send.accessibleDescription()
    assert send.toolTip() == "A file is still being read."
    QTest.keyClick(composer.field, Qt.Key.Key_Return)
    assert not sent
    assert composer.notice.text == "A file is still being read."
    composer.set_blocked(None)
    assert send.isEnabled()
    assert send.accessibleDescription() == ""


def test_busy_turns_send_into_stop_and_enter_queues(composer: Composer) -> None:
    sent, stopped = heard(composer.send_requested), heard(composer.stop_requested)
    composer.set_busy(True)
    assert composer.tools.send.accessibleName() == "Stop"
    assert composer.tools.send.isEnabled()
    composer.tools.send.click()
    QTest.keyClick(composer.field, Qt.Key.Key_Escape)
    assert len(stopped) == 2
    composer.set_text("And then?")
    QTest.keyClick(composer.field, Qt.Key.Key_Return)
    assert sent == [("And then?",)]
    composer.set_busy(False)
    QTest.keyClick(composer.field, Qt.Key.Key_Escape)
    assert len(stopped) == 2


def test_typing_is_said_and_a_draft_put_in_is_not(composer: Composer) -> None:
    changed = heard(composer.text_changed)
    composer.set_text("draft")
    assert not changed
    QTest.keyClicks(composer.field, "s")
    assert changed == [("drafts",)]


@pytest.mark.parametrize(
    ("used", "text", "role"),
    [
        (0, "0 of 65,536", "meta"),
        (3020, "3,020 of 65,536", "meta"),
        (52_000, "52,000 of 65,536", "meta"),
        (53_000, "53,000 of 65,536", "warn"),
        (65_537, "65,537 of 65,536", "danger"),
        (None, "… of 65,536", "meta"),
    ],
)
def test_cost_is_shown_and_warns(
    composer: Composer, used: int | None, text: str, role: str
) -> None:
    composer.set_cost(used, 65_536)
    assert composer.tools.cost.text() == text
    assert composer.tools.cost.property("role") == role


def test_cost_is_hidden_without_a_context(composer: Composer) -> None:
    composer.set_cost(10, 0)
    assert composer.tools.cost.isHidden()


def test_thinking_is_said_when_a_person_toggles_it(composer: Composer) -> None:
    toggled = heard(composer.thinking_toggled)
    composer.set_thinking(True)
    assert not toggled
    composer.toggle_thinking()
    assert toggled == [(False,)]
    assert not composer.tools.think.isChecked()


def test_detail_is_chosen_from_its_menu(composer: Composer) -> None:
    chosen = heard(composer.detail_changed)
    composer.set_detail("high")
    assert not chosen
    assert composer.tools.detail.text() == "Detail: high"
    composer.tools.detail.menu().actions()[0].trigger()
    assert chosen == [("low",)]
    assert composer.tools.detail.text() == "Detail: low"


def test_what_is_offered_goes_out_by_its_kind(composer: Composer) -> None:
    files, pictures = heard(composer.files_offered), heard(composer.picture_offered)
    urls = heard(composer.urls_offered)
    composer.offer(
        Offered((Path("/a"),), ("https://b",), ((b"c", "c.png"), (b"d", "d.png")))
    )
    assert files == [((Path("/a"),),)]
    assert urls == [(("https://b",),)]
    assert pictures == [(b"c", "c.png"), (b"d", "d.png")]


def test_too_long_a_paste_is_refused_with_its_tokens(composer: Composer) -> None:
    refused = heard(composer.too_long_pasted)
    composer.field.insert_words("x" * 700_000)
    assert refused == [(200_000,)]
    assert "about 200,000 tokens" in composer.notice.text
    assert composer.text == ""
    QTest.keyClick(composer.field, Qt.Key.Key_Escape)
    assert composer.notice.text == ""


def waiting(*texts: str) -> tuple[WaitingValue, ...]:
    return tuple(WaitingValue(number, text) for number, text in enumerate(texts))


def test_a_row_stays_its_own_messages(composer: Composer) -> None:
    edited, held = heard(composer.queue_edited), heard(composer.queue_held)
    composer.set_queue((WaitingValue(7, "first"), WaitingValue(8, "second")))
    composer.queue.rows[0].edit()
    QTest.keyClicks(composer.queue.rows[0].field, "changed")
    composer.set_queue((WaitingValue(8, "second"),))
    assert [row.id for row in composer.queue.rows] == [8]
    assert composer.queue.rows[0].field is None
    assert edited == []
    assert held[0] == (7, True)


def test_a_waiting_message_without_words_says_what_it_brings(
    composer: Composer,
) -> None:
    composer.set_queue((WaitingValue(1, "", 2),))
    (label,) = composer.queue.rows[0].findChildren(QLabel)
    assert "2 files" in label.accessibleName()


def test_a_long_waiting_message_is_edited_in_its_last_paragraph(
    composer: Composer,
) -> None:
    edited, long = heard(composer.queue_edited), "word " * 4000
    composer.set_queue((WaitingValue(7, long + "\n\nWhat is it?"),))
    row = composer.queue.rows[0]
    row.edit()
    assert row.field.toPlainText() == "What is it?"
    row.field.setPlainText("Who wrote it?")
    QTest.keyClick(row.field, Qt.Key.Key_Return)
    assert edited == [(7, long + "\n\nWho wrote it?")]


def test_waiting_messages_are_edited_and_removed(composer: Composer) -> None:
    edited, removed = heard(composer.queue_edited), heard(composer.queue_removed)
    composer.set_queue((WaitingValue(7, "first"), WaitingValue(8, "second\nline")))
    row = composer.queue.rows[1]
    row.edit()
    QTest.keyClick(row.field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(row.field, "other")
    QTest.keyClick(row.field, Qt.Key.Key_Return)
    assert edited == [(8, "other")]
    assert row.field is None
    row.findChild(QWidget, "close").click()
    assert removed == [(8,)]
    composer.set_queue(())
    assert composer.queue.isHidden()


def test_esc_leaves_a_waiting_message_as_it_was(composer: Composer) -> None:
    edited, stopped = heard(composer.queue_edited), heard(composer.stop_requested)
    composer.set_busy(True)
    composer.set_queue((WaitingValue(7, "first"),))
    row = composer.queue.rows[0]
    row.edit()
    QTest.keyClicks(row.field, "changed")
    QTest.keyClick(row.field, Qt.Key.Key_Escape)
    assert not edited
    assert not stopped
    assert row.field is None


def test_many_waiting_messages_leave_room(
    composer: Composer, qapp: QApplication
) -> None:
    composer.set_queue(waiting("one", "two", "three"))
    qapp.processEvents()
    three = composer.queue.sizeHint().height()
    composer.set_queue(waiting(*(f"message {i}" for i in range(30))))
    qapp.processEvents()
    assert composer.queue.sizeHint().height() == three


@pytest.mark.parametrize("scale", [1.0, 1.5])
@pytest.mark.parametrize("width", [252, 452, 760])
def test_the_tools_fit_at_every_width_and_font(
    composer: Composer, qapp_theme: Theme, qapp: QApplication, width: int, scale: float
) -> None:
    qapp_theme.apply("light", scale=scale)
    composer.window().resize(width + 24, 600)
    composer.set_cost(70_000, 65_536)
    qapp.processEvents()
    tools = composer.tools
    row = [tools.add, tools.region, tools.detail, tools.cost, tools.think, tools.send]
    shown = [widget for widget in row if widget.isVisible()]
    for left, right in pairwise(shown):
        assert left.geometry().right() < right.geometry().left()
    assert tools.send.geometry().right() <= tools.width()
    qapp_theme.apply("light")


def test_every_tool_has_a_name(composer: Composer) -> None:
    tools = composer.tools
    for widget in (tools.add, tools.region, tools.detail, tools.think, tools.send):
        assert widget.accessibleName()
    assert composer.field.accessibleName()


def test_the_file_dialog_does_not_hold_up_the_window(composer: Composer) -> None:
    offered = heard(composer.files_offered)
    dialog = composer.choose_files()
    dialog.filesSelected.emit(["/tmp/a.png", "/tmp/b.pdf"])
    dialog.close()
    assert offered == [((Path("/tmp/a.png"), Path("/tmp/b.pdf")),)]


def test_words_can_be_queued_with_the_mouse(composer: Composer) -> None:
    sent, stopped = heard(composer.send_requested), heard(composer.stop_requested)
    composer.set_busy(True)
    assert composer.tools.later.isHidden()
    composer.field.insert_words("and then")
    assert not composer.tools.later.isHidden()
    composer.tools.later.click()
    assert sent == [("and then",)]
    assert not stopped
    composer.set_busy(False)
    assert composer.tools.later.isHidden()
