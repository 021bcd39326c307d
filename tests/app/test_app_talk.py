"""A conversation in the real app, from the first key to the last word."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from tests.app.engine_talk import ENDLESS
from tests.app.real_app import PICTURE, RealApp, running, spin


@pytest.fixture(scope="module")
def live(qapp, qapp_theme, tmp_path_factory):
    folder = tmp_path_factory.mktemp("talk")
    with running(folder, qapp, qapp_theme, theme="light") as app:
        app.ready()
        yield app


@pytest.fixture
def app(live: RealApp):
    """A new conversation with the defaults, and nothing left of it running."""
    live.settings.reset()
    live.new()
    live.think(False)
    yield live
    if live.talk.busy:
        live.stop()


def test_an_answer_streams_into_the_transcript_and_onto_the_disk(app):
    app.ask_endlessly()
    row = app.answer_row()
    spin(lambda: len(row.body.text) > 20, "words on the screen")
    assert app.composer.tools.send.accessibleName() == "Stop"
    seen = len(row.body.text)
    spin(lambda: len(row.body.text) > seen, "more words")
    app.stop()
    assert app.turns()[-1].text == row.body.text
    assert app.composer.tools.send.accessibleName() == "Send"


def test_a_question_about_a_picture_is_answered_with_what_it_took(app):
    app.drop(PICTURE)
    app.attached(1)
    answer = app.ask("Describe the picture.")
    assert "red circle" in answer.text
    assert answer.state == "complete"
    assert answer.stats.image_tokens
    assert answer.stats.generated_tokens
    assert app.turns()[0].attachments[0].name == "example.png"
    assert app.composer.text == ""
    assert not app.draft.items


def test_thinking_has_a_panel_of_its_own_and_closes_when_the_answer_comes(app):
    app.think(True)
    app.drop(PICTURE)
    app.attached(1)
    answer = app.ask("Describe the picture.")
    panel = app.answer_row().thinking
    assert answer.thinking
    assert answer.thinking_seconds is not None
    assert panel.text == answer.thinking
    assert not panel.is_open
    assert panel.title.startswith("Thought for")
    assert "<think>" not in answer.text
    assert answer.thinking not in answer.text


def test_without_thinking_there_is_no_panel(app):
    app.ask("Hi")
    assert app.turns()[-1].thinking == ""
    assert app.answer_row().thinking is None


def test_the_toggle_belongs_to_the_conversation(app):
    app.ask("Hi")
    first = app.talk.conversation.id
    app.new()
    app.think(True)
    app.ask("Hello")
    app.sidebar.opened.emit(first)
    assert not app.composer.tools.think.isChecked()
    app.new()
    assert app.composer.tools.think.isChecked()


def test_stop_is_felt_within_three_tenths_of_a_second(app):
    turn = app.ask_endlessly()
    begun = time.monotonic()
    app.press(Qt.Key.Key_Escape)
    spin(lambda: not app.talk.busy, "the stop")
    assert time.monotonic() - begun < 0.3
    stopped = app.store.turn(turn)
    assert stopped.state == "stopped"
    assert stopped.text


def test_answer_now_ends_the_thinking(app):
    app.think(True)
    app.send(ENDLESS)
    spin(lambda: app.turns()[-1].thinking, "the first thought")
    row = app.answer_row()
    spin(lambda: row.thinking is not None and row.thinking.running, "the panel")
    panel = row.thinking
    assert panel.is_open
    assert not panel.answer_now.isHidden()
    panel.answer_now.click()
    spin(app.answer_text, "the answer")
    spin(lambda: not panel.running, "the panel's end")
    app.stop()
    assert app.turns()[-1].thinking


def test_another_answer_stands_beside_the_first(app):
    first = app.ask("Hi")
    app.use("Ask again")
    app.idle()
    second = app.turns()[-1]
    assert (second.variant, second.variants, second.parent) == (2, 2, first.parent)
    row = app.row()
    row.tools.set_shown(True)
    assert "2/2" in [label.text() for label in row.tools.findChildren(QLabel)]
    app.use("The one before")
    assert app.turns()[-1].id == first.id
    app.use("The next one")
    assert app.turns()[-1].id == second.id


def test_an_edited_question_is_asked_beside_the_first(app):
    app.ask("Hi")
    asked = app.turns()[0]
    app.write("what I was about to ask")
    app.use("Edit and resend", asked.id)
    assert app.composer.text == "Hi"
    app.send("Hello")
    app.idle()
    edited, answer = app.turns()
    assert (edited.text, edited.variant, edited.variants) == ("Hello", 2, 2)
    assert answer.text
    assert app.composer.text == "what I was about to ask"


def test_editing_is_left_with_escape_and_nothing_is_lost(app):
    app.ask("Hi")
    app.write("half a thought")
    app.use("Edit and resend", app.turns()[0].id)
    app.press(Qt.Key.Key_Escape)
    assert app.composer.text == "half a thought"
    assert app.turns()[0].text == "Hi"
    assert app.turns()[0].variants == 1


def test_up_in_the_empty_field_edits_the_last_question(app):
    app.ask("Hi")
    app.press(Qt.Key.Key_Up)
    assert app.composer.text == "Hi"
    app.press(Qt.Key.Key_Escape)
    assert app.composer.text == ""


def test_a_cut_answer_goes_on(app):
    app.drop(PICTURE)
    app.attached(1)
    app.settings.change(max_tokens=4)
    cut = app.ask("Describe the picture.")
    assert cut.state == "cut"
    row = app.row()

    def links() -> list[QLabel]:
        labels = row.findChildren(QLabel)
        return [each for each in labels if "Continue" in each.text()]

    spin(links, "the link")
    app.settings.change(max_tokens=200)
    links()[0].linkActivated.emit("continue")
    assert app.talk.busy
    app.idle()
    whole = app.turns()[-1]
    assert whole.id == cut.id
    assert whole.state == "complete"
    assert whole.text.startswith(cut.text)
    assert "star" in whole.text


def test_a_deleted_answer_is_gone_and_the_question_can_be_asked_again(app):
    app.ask("Hi")
    app.use("Delete")
    assert [turn.role for turn in app.turns()] == ["user"]
    app.use("Delete")
    assert app.turns() == ()


def test_deleting_what_is_being_written_stops_and_removes_it(app):
    app.ask_endlessly()
    app.transcript.delete_requested.emit(app.turns()[0].id)
    app.idle()
    assert app.turns() == ()
    assert app.ask("Hi").state == "complete"


def test_deleting_the_question_of_a_hidden_streaming_answer_is_safe(app):
    app.ask_endlessly()
    app.stop()
    app.use("Ask again")
    spin(app.answer_text, "the second answer")
    app.transcript.variant_requested.emit(app.turns()[-1].id, -1)
    app.transcript.delete_requested.emit(app.turns()[0].id)
    app.idle()
    assert app.turns() == ()


def test_a_message_sent_meanwhile_waits_can_be_edited_and_is_sent_afterwards(app):
    app.ask_endlessly()
    app.send("Hi")
    app.send("never")
    assert [each.text for each in app.talk.outbox.waiting] == ["Hi", "never"]
    assert app.composer.text == ""
    rows = app.composer.queue.rows
    rows[0].edit()
    rows[0].field.setPlainText("Hello")
    app.press(Qt.Key.Key_Return, rows[0].field)
    app.composer.queue.rows[1].removed.emit(app.composer.queue.rows[1].id)
    assert [each.text for each in app.talk.outbox.waiting] == ["Hello"]
    app.stop()
    assert [t.text for t in app.turns() if t.role == "user"][1:] == ["Hello"]
    assert app.turns()[-1].state in ("complete", "looped")


def test_what_waits_is_on_the_disk_as_a_draft_until_it_is_sent(app):
    app.ask_endlessly()
    app.send("Hi")
    app.write("and then")
    app.draft.save()
    number = app.talk.conversation.id
    assert app.store.conversation(number).draft == "Hi\n\nand then"
    app.new()
    app.sidebar.opened.emit(number)
    assert app.composer.text == "and then"
    app.stop()
    assert app.store.conversation(number).draft == "and then"


def test_an_answer_goes_on_while_another_conversation_is_shown(app):
    app.settings.change(max_tokens=150)
    turn = app.ask_endlessly()
    first = app.talk.conversation.id
    app.new()
    assert app.talk.busy
    there = len(app.store.turn(turn).text)
    spin(lambda: len(app.store.turn(turn).text) > there, "more words")
    app.sidebar.opened.emit(first)
    row = app.answer_row(turn)
    spin(lambda: row.body.text == app.store.turn(turn).text, "all words")
    app.new()
    app.idle()
    app.sidebar.opened.emit(first)
    answer = app.turns()[-1]
    assert answer.state == "cut"
    assert answer.stats.generated_tokens == 150
    row = app.answer_row(turn)
    spin(lambda: row.body.text == answer.text, "the whole answer")


def test_the_meter_counts_the_whole_conversation_after_an_answer(app):
    empty = app.counted()
    answer = app.ask("Hi")
    used = app.counted()
    whole = answer.stats.prompt_tokens + answer.stats.generated_tokens
    assert used > empty
    assert abs(used - whole) < 16
    app.new()
    assert app.counted() == empty


def test_the_system_prompt_reaches_the_model_and_the_meter(app):
    plain, bare = app.ask("Hi").stats.prompt_tokens, app.counted()
    app.settings.change(system_prompt="Answer in one word. " * 10)
    more = app.counted() - bare
    app.use("Ask again")
    app.idle()
    assert app.turns()[-1].stats.prompt_tokens - plain == more > 20


def test_sampling_is_as_chosen(app):
    app.settings.change(checkpoint_sampling=False, temperature=0.0, max_tokens=40)
    first = app.ask(ENDLESS)
    app.use("Ask again")
    app.idle()
    assert app.turns()[-1].text == first.text
    assert first.state == "cut"
    assert first.stats.generated_tokens == 40


def test_enter_with_nothing_to_say_sends_nothing(app):
    before = len(app.listed())
    app.press(Qt.Key.Key_Return)
    app.send("   ")
    assert len(app.listed()) == before
    assert app.turns() == ()


def test_shift_and_enter_break_the_line(app):
    app.write("one")
    app.composer.field.moveCursor(app.composer.field.textCursor().MoveOperation.End)
    QTest.keyClick(
        app.composer.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier
    )
    assert app.composer.text == "one\n"
    app.write("")
