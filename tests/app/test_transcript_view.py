"""The transcript as a reader sees it: streaming, the tail, 2,000 messages, keys."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QEnterEvent, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QLabel,
    QPushButton,
    QToolButton,
)

from app.conversation import Attachment, Stats, Turn
from app.ui.theme import Theme
from app.ui.transcript import TranscriptView
from app.ui.transcript.actions import stats_words
from app.ui.transcript.answer import AnswerRow
from app.ui.transcript.code import CodeCard
from app.ui.transcript.question import QuestionRow

Wait = Callable[..., None]

TEXT = """# Receipt

The total is **EUR 42.10**, with $x^2$ and `code`.

1. one
2. two

   still two

```python
def f(x):
    return x  # comment
```

| a | b |
|---|---|
| 1 | 2 |

$$
\\frac{a}{b}
$$

The end, which stays open
"""


@pytest.fixture
def view(qapp_theme: Theme) -> Iterator[TranscriptView]:
    def pictures(digest: str, page: int | None) -> QPixmap | None:
        del page
        if digest == "missing":
            return None
        picture = QPixmap(200, 100)
        picture.fill(Qt.GlobalColor.darkGreen)
        return picture

    shown = TranscriptView(qapp_theme, pictures)
    shown.resize(800, 600)
    shown.show()
    yield shown
    shown.shut_down()
    shown.close()
    shown.deleteLater()


def question(number: int, text: str = "What is this?") -> Turn:
    return Turn(number, number - 1 or None, "user", text)


def answer(number: int, text: str = "A picture.", **more: object) -> Turn:
    return replace(Turn(number, number - 1, "assistant", text), **more)


def path(count: int, text: str = "An answer.\n\nIn two parts.") -> tuple[Turn, ...]:
    return tuple(
        question(n, f"Question {n}") if n % 2 else answer(n, f"{n}. {text}")
        for n in range(1, count + 1)
    )


def row(view: TranscriptView, turn_id: int) -> AnswerRow:
    found = view.column.row(turn_id)
    assert isinstance(found, AnswerRow)
    return found


def settled(view: TranscriptView, turn_id: int) -> Callable[[], bool]:
    def holds() -> bool:
        slot = view.column.slots.by_id(turn_id)
        return slot is not None and slot.built and not view.busy

    return holds


def bar(view: TranscriptView) -> tuple[int, int]:
    scroll = view.column.verticalScrollBar()
    return scroll.value(), scroll.maximum()


@pytest.mark.parametrize("size", [1, 7, 60, 5000])
def test_a_stream_shows_in_the_end_what_the_whole_text_shows(
    view: TranscriptView, wait_until: Wait, size: int
) -> None:
    view.show_turns((question(1), answer(2, TEXT)))
    wait_until(settled(view, 2))
    at_once = row(view, 2).body.shown
    view.show_turns(())
    view.show_turns((question(3),))
    view.add_turn(answer(4, "", state="streaming"))
    for start in range(0, len(TEXT), size):
        view.append(4, "answer", TEXT[start : start + size])
    view.update_turn(answer(4, TEXT))
    wait_until(settled(view, 4))
    assert row(view, 4).body.shown == at_once
    assert row(view, 4).body.text == TEXT


def test_a_closed_block_is_rendered_while_the_rest_is_plain(
    view: TranscriptView, wait_until: Wait
) -> None:
    view.show_turns((question(1), answer(2, "", state="streaming")))
    view.append(2, "answer", "# Heading\n\nOpen **words")
    wait_until(lambda: row(view, 2).body.shown)
    body = row(view, 2).body
    assert [block.source for block in body.shown] == ["# Heading"]
    assert body.open_text == "Open **words"


def test_updates_of_a_stream_come_at_most_thirty_times_a_second(
    view: TranscriptView, wait_until: Wait, qapp: QApplication
) -> None:
    view.show_turns((question(1), answer(2, "", state="streaming")))
    seen = []
    start = time.monotonic()
    for number in range(400):
        view.append(2, "answer", f"word{number} ")
        qapp.processEvents()
        text = row(view, 2).body.text
        if not seen or text != seen[-1]:
            seen.append(text)
    wait_until(lambda: "word399" in row(view, 2).body.text)
    assert len(seen) <= 2 + 30 * (time.monotonic() - start + 0.1)


def test_the_view_follows_the_end_only_while_the_reader_is_there(
    view: TranscriptView, wait_until: Wait
) -> None:
    view.show_turns((*path(20), question(21), answer(22, "", state="streaming")))
    wait_until(settled(view, 22))
    down = view.findChild(QToolButton, "down")
    for _ in range(3):
        view.append(22, "answer", "line\n" * 20)
        before = bar(view)[1]
        wait_until(lambda before=before: bar(view)[1] > before)
        assert bar(view)[0] == bar(view)[1]
    assert down.isHidden()
    view.column.verticalScrollBar().setValue(bar(view)[1] - 300)
    value, most = bar(view)
    view.append(22, "answer", "line\n" * 40)
    wait_until(lambda: bar(view)[1] > most)
    assert bar(view)[0] == value
    assert not down.isHidden()
    down.click()
    wait_until(lambda: bar(view)[0] == bar(view)[1])
    assert down.isHidden()


def test_two_thousand_messages_open_without_blocking(
    view: TranscriptView, wait_until: Wait
) -> None:
    turns = path(2000, TEXT)
    view.show_turns(path(4, TEXT))
    wait_until(settled(view, 4))
    longest, last = 0.0, time.perf_counter()

    def beat() -> None:
        nonlocal longest, last
        now = time.perf_counter()
        longest, last = max(longest, now - last), now

    timer = QTimer()
    timer.timeout.connect(beat)
    timer.start(5)
    wait_until(lambda: longest > 0)
    longest, last = 0.0, time.perf_counter()
    view.show_turns(turns)
    shown = time.perf_counter() - last
    wait_until(settled(view, 2000))
    opened = longest
    view.column.verticalScrollBar().setValue(bar(view)[1] // 2)
    wait_until(lambda: not view.busy)
    view.scroll_to(11)
    wait_until(settled(view, 11))
    timer.stop()
    print(
        f"\n2,000 messages: shown in {shown * 1000:.0f} ms, longest gap "
        f"{opened * 1000:.0f} ms, with jumps {longest * 1000:.0f} ms"
    )
    assert longest < 0.25
    assert len(view.column.rows) < 100


def test_what_is_read_stays_where_it_is_when_messages_above_are_built(
    view: TranscriptView, wait_until: Wait
) -> None:
    view.show_turns(path(400, TEXT))
    wait_until(settled(view, 400))
    view.scroll_to(101)
    wait_until(lambda: not view.busy)
    found = view.column.row(101)
    assert found is not None
    top = found.mapTo(view, QPoint(0, 0)).y()
    assert 0 <= top < 40
    view.column.verticalScrollBar().setValue(bar(view)[0] - 200)
    wait_until(lambda: not view.busy)
    assert found.mapTo(view, QPoint(0, 0)).y() == pytest.approx(top + 200, abs=1)


def test_messages_that_stay_keep_their_widgets(
    view: TranscriptView, wait_until: Wait
) -> None:
    view.show_turns(path(4))
    wait_until(settled(view, 4))
    first = view.column.row(2)
    other = answer(5, "Another one.", parent=3, variant=2, variants=2)
    view.show_turns((*path(3), other))
    wait_until(settled(view, 5))
    assert view.column.row(2) is first
    assert view.column.row(4) is None


def test_a_message_that_changes_before_it_is_built_shows_the_change(
    view: TranscriptView, wait_until: Wait
) -> None:
    view.show_turns(path(600, TEXT))
    view.update_turn(answer(10, "Changed."))
    view.scroll_to(10)
    wait_until(settled(view, 10))
    assert row(view, 10).body.text == "Changed."


def test_an_empty_conversation_shows_its_own_widget(
    view: TranscriptView, wait_until: Wait
) -> None:
    label = QLabel("Ask about a picture")
    view.set_empty(label)
    view.show_turns(())
    wait_until(label.isVisible)
    view.add_turn(question(1))
    assert not label.isVisible()


def test_thinking_opens_while_it_runs_and_closes_when_the_answer_starts(
    view: TranscriptView, wait_until: Wait
) -> None:
    asked: list[bool] = []
    view.answer_now_requested.connect(lambda: asked.append(True))
    view.show_turns((question(1), answer(2, "", state="streaming")))
    view.append(2, "thinking", "Let me see.")
    wait_until(lambda: row(view, 2).thinking is not None)
    panel = row(view, 2).thinking
    assert panel is not None
    assert panel.is_open
    assert panel.title == "Thinking 0 s"
    panel.answer_now.click()
    assert asked == [True]
    view.append(2, "answer", "It is a cat.")
    wait_until(lambda: not panel.running)
    assert not panel.is_open
    assert panel.title == "Thought for 1 s"
    assert panel.answer_now.isHidden()
    view.update_turn(
        answer(2, "It is a cat.", thinking="Let me see.", thinking_seconds=15.2)
    )
    wait_until(lambda: panel.title == "Thought for 15 s")
    assert not panel.is_open


def test_a_persons_click_on_thinking_wins(
    view: TranscriptView, wait_until: Wait
) -> None:
    view.show_turns((question(1), answer(2, "", state="streaming")))
    view.append(2, "thinking", "Let me see.")
    wait_until(lambda: row(view, 2).thinking is not None)
    panel = row(view, 2).thinking
    assert panel is not None
    panel.line.click()
    assert not panel.is_open
    view.append(2, "thinking", " More.")
    wait_until(lambda: panel.text.endswith("More."))
    assert not panel.is_open
    panel.line.click()
    view.append(2, "answer", "A cat.")
    wait_until(lambda: not panel.running)
    assert panel.is_open


def test_code_is_coloured_and_formulas_are_drawn_in_the_other_thread(
    view: TranscriptView, wait_until: Wait
) -> None:
    view.show_turns((question(1), answer(2, TEXT)))
    wait_until(settled(view, 2))
    wait_until(lambda: row(view, 2).findChild(CodeCard).coloured)
    wait_until(lambda: "\ufffc" in row(view, 2).body.rendered_text())


def test_what_is_no_latex_stays_as_it_was_written(
    view: TranscriptView, wait_until: Wait
) -> None:
    text = "Broken $\\frac{a$ and $\\nosuchthing{x}$ and $y^2$."
    view.show_turns((question(1), answer(2, text)))
    wait_until(settled(view, 2))
    wait_until(lambda: "\ufffc" in row(view, 2).body.rendered_text())
    shown = row(view, 2).body.rendered_text()
    assert "$\\frac{a$" in shown
    assert "$\\nosuchthing{x}$" in shown
    assert "y^2" not in shown


def test_a_code_card_hands_over_its_code(
    view: TranscriptView, wait_until: Wait
) -> None:
    copied: list[str] = []
    view.copy_requested.connect(copied.append)
    view.show_turns((question(1), answer(2, TEXT)))
    wait_until(settled(view, 2))
    row(view, 2).findChild(CodeCard).findChild(QToolButton).click()
    assert copied == ["def f(x):\n    return x  # comment"]


def test_actions_appear_on_hover_without_moving_anything(
    view: TranscriptView, wait_until: Wait
) -> None:
    turn = answer(2, "A cat.", variant=2, variants=3, stats=Stats(tokens_per_second=43))
    view.show_turns((question(1), turn))
    wait_until(settled(view, 2))
    found = row(view, 2)
    height = found.height()
    QApplication.sendEvent(found, QEvent(QEvent.Type.Leave))
    assert not found.tools.shown
    QApplication.sendEvent(found, QEnterEvent(QPointF(), QPointF(), QPointF()))
    assert found.tools.shown
    assert found.height_for(found.width()) == height
    said: list[tuple[object, ...]] = []
    view.copy_requested.connect(lambda text: said.append(("copy", text)))
    view.regenerate_requested.connect(lambda turn_id: said.append(("again", turn_id)))
    view.variant_requested.connect(lambda *both: said.append(("variant", *both)))
    view.delete_requested.connect(lambda turn_id: said.append(("delete", turn_id)))
    for button in found.tools.findChildren(QToolButton):
        button.click()
    assert said == [
        ("copy", "A cat."),
        ("again", 2),
        ("variant", 2, -1),
        ("variant", 2, 1),
        ("delete", 2),
    ]


def test_a_question_can_be_edited_and_its_media_opened(
    view: TranscriptView, wait_until: Wait
) -> None:
    media = Attachment("d", "cat.png", "image", tokens=2691)
    view.show_turns((replace(question(1), attachments=(media,)), answer(2)))
    wait_until(settled(view, 1))
    said: list[object] = []
    view.edit_requested.connect(said.append)
    view.media_opened.connect(said.append)
    found = view.column.row(1)
    assert found is not None
    found.tools.set_shown(True)
    buttons = found.tools.findChildren(QToolButton)
    next(b for b in buttons if b.accessibleName() == "Edit and resend").click()
    cards = found.findChildren(QAbstractButton)
    card = next(each for each in cards if each.toolTip() == "cat.png")
    assert card.accessibleName() == "cat.png, 2,691 tok"
    card.click()
    assert said == [1, media]


def test_a_long_question_opens_on_a_click(
    view: TranscriptView, wait_until: Wait
) -> None:
    text = "word " * 4000 + "last"
    view.show_turns((question(1, text),))
    wait_until(settled(view, 1))
    found = view.column.row(1)
    assert isinstance(found, QuestionRow)
    assert "last" not in found.shown_text()
    found.findChild(QPushButton).click()
    wait_until(lambda: found.shown_text().endswith("last"))


def test_an_error_offers_what_helps(view: TranscriptView, wait_until: Wait) -> None:
    said: list[str] = []
    view.show_log_requested.connect(lambda: said.append("log"))
    view.restart_model_requested.connect(lambda: said.append("restart"))
    view.show_turns((question(1), answer(2, state="streaming")))
    view.update_turn(answer(2, "Half", state="failed", error="The model stopped."))
    wait_until(lambda: row(view, 2).problem is not None)
    problem = row(view, 2).problem
    assert problem is not None
    problem.button.click()
    view.set_restartable(True)
    assert problem.button.text() == "Restart the model"
    problem.button.click()
    assert said == ["log", "restart"]


def test_a_cut_answer_can_go_on(view: TranscriptView, wait_until: Wait) -> None:
    said: list[object] = []
    view.continue_requested.connect(said.append)
    view.show_turns((question(1), answer(2, "Half", state="cut")))
    wait_until(settled(view, 2))
    labels = row(view, 2).findChildren(QLabel)
    next(each for each in labels if "Continue" in each.text()).linkActivated.emit("x")
    assert said == [2]


def test_one_message_is_one_stop_with_a_name(
    view: TranscriptView, wait_until: Wait
) -> None:
    view.show_turns((question(1), answer(2, "It is  a\n\ncat.")))
    wait_until(settled(view, 2))
    assert view.column.row(1).accessibleName() == "You: What is this?"
    assert row(view, 2).accessibleName() == "GLM: It is a cat."
    assert row(view, 2).accessibleDescription() == "It is  a\n\ncat."


def test_keys_go_from_message_to_message_and_tab_through_what_is_in_them(
    view: TranscriptView, wait_until: Wait, qapp: QApplication
) -> None:
    view.activateWindow()
    view.show_turns(path(6))
    wait_until(settled(view, 1))
    wait_until(settled(view, 6))
    view.column.row(6).setFocus(Qt.FocusReason.TabFocusReason)
    wait_until(lambda: qapp.focusWidget() is view.column.row(6))
    QTest.keyClick(qapp.focusWidget(), Qt.Key.Key_Up)
    assert qapp.focusWidget() is view.column.row(5)
    QTest.keyClick(qapp.focusWidget(), Qt.Key.Key_Home)
    assert qapp.focusWidget() is view.column.row(1)
    QTest.keyClick(qapp.focusWidget(), Qt.Key.Key_Tab)
    assert qapp.focusWidget().accessibleName() == "Copy"
    for _ in range(3):
        QTest.keyClick(qapp.focusWidget(), Qt.Key.Key_Tab)
    assert qapp.focusWidget() is view.column.row(2)
    QTest.keyClick(qapp.focusWidget(), Qt.Key.Key_Backtab)
    assert qapp.focusWidget() is view.column.row(1)


def test_a_theme_change_restyles_what_is_shown(
    view: TranscriptView, wait_until: Wait, qapp_theme: Theme
) -> None:
    view.show_turns((question(1), answer(2, "A [link](http://a.b).")))
    wait_until(settled(view, 2))
    height = row(view, 2).height()
    try:
        qapp_theme.apply("dark", scale=1.5)
        wait_until(lambda: row(view, 2).height() > height)
    finally:
        qapp_theme.apply("light")
    wait_until(lambda: row(view, 2).height() == height)


def test_progress_stands_below_the_last_message(
    view: TranscriptView, wait_until: Wait
) -> None:
    view.show_turns(path(2))
    wait_until(settled(view, 2))
    view.set_progress("looking")
    assert view.progress.isVisible()
    assert view.progress.y() > row(view, 2).geometry().bottom()
    view.set_progress("")
    assert not view.progress.isVisible()


def test_stats_are_words_without_zeros() -> None:
    stats = Stats(3000, 2691, 0, 2400, 500, 0, 43.2, 1.23, 9_100_000_000)
    words = "43 tok/s · 1.2 s · 2,691 image tokens · 2,400 cached · 9.1 GB"
    assert stats_words(stats) == words
    assert stats_words(Stats()) == ""
