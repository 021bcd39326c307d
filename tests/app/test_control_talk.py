"""The conversation's owner with a model that says what the test wants."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QObject, QSettings, Signal

from app.control.talk import Talk
from app.conversation import Stats
from app.engine import protocol
from app.models import EngineState
from app.settings import SettingsKeeper
from app.store import Store, StoreError


class Engine(QObject):
    """The client's interface; answers only when told."""

    state_changed = Signal(object)
    progressed = Signal(object)
    text = Signal(object)
    finished = Signal(object)
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.state = EngineState("ready", model="demo", title="Demo")
        self.asked: list[protocol.Ask] = []
        self.stops = 0

    def ask(self, request: protocol.Ask) -> None:
        self.asked.append(request)
        self.state = replace(self.state, phase="working")

    def stop(self) -> None:
        self.stops += 1

    def say(self, words: str, channel: str = "answer") -> None:
        self.text.emit(protocol.Text(self.asked[-1].id, channel, words))

    def end(self, reason: str = "stop") -> None:
        self.state = replace(self.state, phase="ready")
        self.finished.emit(protocol.Finished(self.asked[-1].id, reason, Stats()))

    def set_phase(self, phase: str) -> None:
        self.state = replace(self.state, phase=phase)
        self.state_changed.emit(self.state)


@pytest.fixture
def engine(qapp):  # noqa: ARG001
    return Engine()


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def talk(store, engine, tmp_path):
    storage = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
    talk = Talk(store, engine, SettingsKeeper(storage))
    talk.ensure_conversation(thinking=True)
    return talk


def test_every_piece_is_kept_before_it_is_shown(talk, engine, store):
    seen: list[str] = []
    talk.said.connect(lambda turn, *_: seen.append(store.turn(turn).text))
    talk.send("Hi")
    engine.say("Hel")
    engine.say("lo")
    assert seen == ["Hel", "Hello"]


def test_what_a_late_answer_says_is_not_taken_for_the_next_ones(talk, engine):
    talk.send("One")
    late = protocol.Text(engine.asked[0].id, "answer", "late")
    engine.end()
    talk.send("Two")
    engine.text.emit(late)
    assert talk.turns()[-1].text == ""
    assert talk.busy


def test_a_tool_call_is_shown_as_code(talk, engine):
    talk.send("Hi")
    engine.say("look()", "tool")
    assert "```\nlook()\n```" in talk.turns()[-1].text


@pytest.mark.parametrize(
    ("reason", "state"),
    [("stop", "complete"), ("length", "cut"), ("cancelled", "stopped")],
)
def test_an_answers_end_is_a_state_of_its_turn(talk, engine, reason, state):
    talk.send("Hi")
    engine.end(reason)
    assert talk.turns()[-1].state == state


def test_messages_wait_for_one_another_in_their_order(talk, engine):
    for text in ("One", "Two", "Three"):
        talk.send(text)
    assert [each.text for each in talk.outbox.waiting] == ["Two", "Three"]
    engine.end()
    assert len(engine.asked) == 2
    engine.end()
    engine.end()
    asked = [turn.text for turn in talk.turns() if turn.role == "user"]
    assert asked == ["One", "Two", "Three"]
    assert talk.outbox.waiting == ()


def test_a_message_waits_for_its_own_conversation(talk, engine, store):
    first = talk.conversation.id
    talk.send("One")
    talk.send("Two")
    talk.open(store.create_conversation().id)
    engine.end()
    assert talk.turns() == ()
    assert [t.text for t in store.path(first) if t.role == "user"] == ["One", "Two"]


def test_an_edit_that_waits_becomes_a_sibling(talk, engine):
    talk.send("One")
    question = talk.turns()[0].id
    talk.send("Uno", editing=question)
    engine.end()
    edited = talk.turns()[0]
    assert (edited.text, edited.variant, edited.variants) == ("Uno", 2, 2)
    (message,) = engine.asked[-1].messages
    assert message.parts == (protocol.Words("Uno"),)


def test_what_waits_while_the_model_is_dead_is_sent_when_it_is_back(talk, engine):
    talk.send("One")
    talk.send("Two")
    engine.state = replace(engine.state, phase="failed")
    engine.failed.emit(protocol.Failed(engine.asked[0].id, "Crashed", "It broke."))
    assert talk.turns()[-1].error == "It broke."
    assert not talk.busy
    assert len(engine.asked) == 1
    engine.set_phase("loading")
    engine.set_phase("ready")
    assert len(engine.asked) == 2


def test_a_disk_that_is_full_for_a_while_costs_no_word(talk, engine, store):
    told: list[str] = []
    talk.troubled.connect(told.append)
    talk.send("Hi")
    connection = store._database._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    words = "many words " * 20_000
    engine.say(words)
    engine.end()
    assert told
    assert not talk.busy
    assert talk.turns()[-1].text == words
    with pytest.raises(StoreError):
        talk.send("more words " * 20_000)
    connection.execute("PRAGMA max_page_count = 1000000")
    talk.answer.flush()
    assert store.turn(talk.turns()[-1].id).state == "complete"


def test_what_the_store_refuses_is_said(talk, engine, store):
    told: list[str] = []
    talk.troubled.connect(told.append)
    talk.send("Hi")
    engine.end()
    answer = talk.turns()[1].id
    store.delete_turn(answer)
    talk.regenerate(answer)
    talk.show_variant(answer, 1)
    talk.delete_turn(answer)
    assert told == ["This message is no longer there."] * 3
    assert not talk.busy


def test_the_thinking_toggle_goes_with_the_question(talk, engine):
    talk.send("One")
    engine.end()
    talk.set_thinking(False)
    talk.send("Two")
    assert [ask.options.thinking for ask in engine.asked] == [True, False]


def test_every_question_carries_the_whole_conversation(talk, engine):
    talk.send("One")
    engine.say("First")
    engine.end()
    talk.send("Two")
    roles = [message.role for message in engine.asked[-1].messages]
    assert roles == ["user", "assistant", "user"]
    engine.end()
    talk.regenerate(talk.turns()[1].id)
    assert [message.role for message in engine.asked[-1].messages] == ["user"]


def test_going_on_hands_over_what_was_said(talk, engine):
    talk.send("One")
    engine.say("First")
    engine.end("length")
    talk.go_on(talk.turns()[1].id)
    ask = engine.asked[-1]
    assert ask.continue_reply
    assert ask.messages[-1].parts == (protocol.Words("First"),)
    assert talk.turns()[1].state == "streaming"
    engine.say(" and last")
    engine.end()
    assert talk.turns()[1].text == "First and last"


def test_nothing_is_asked_twice_at_a_time(talk, engine):
    talk.send("One")
    answer = talk.turns()[1].id
    talk.regenerate(answer)
    talk.go_on(answer)
    assert len(engine.asked) == 1


def test_stop_is_the_models_to_obey(talk, engine):
    talk.send("One")
    talk.answer.stop()
    assert engine.stops == 1
    assert talk.busy
    engine.end("cancelled")
    assert not talk.busy


def test_a_conversation_that_goes_takes_its_answer_along(talk, engine, store):
    gone = talk.conversation.id
    talk.send("One")
    talk.send("Two")
    talk.leave(gone)
    assert engine.stops == 1
    assert talk.conversation is None
    assert talk.outbox.waiting == ()
    engine.end("cancelled")
    assert len(engine.asked) == 1
    assert store.conversation(gone).draft == "Two"


def test_another_conversations_answer_goes_on(talk, engine, store):
    other = store.create_conversation().id
    talk.send("One")
    talk.leave(other)
    assert engine.stops == 0
    assert talk.conversation is not None
