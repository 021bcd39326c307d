"""Who may end an answer, whom that is told, and what stays of it."""

import contextlib
import sys
import threading
from collections.abc import Callable

import pytest

from mlx_glm45v.chat import ChatOptions, ChatSession
from mlx_glm45v.errors import ConversationInUse
from mlx_glm45v.generation.events import Finished, TextDelta, Usage
from mlx_glm45v.messages import Message
from mlx_glm45v.turn import Turn

QUESTION, NEXT = "Describe the picture.", "How many shapes are there?"
SHORT = ChatOptions(max_tokens=48, thinking=False)
GOING_ON = {
    "ask": lambda session: session.ask(NEXT),
    "stream": lambda session: session.stream(NEXT),
    "send": lambda session: session.send(Message("user", NEXT)),
    "continue": lambda session: session.continue_reply(),
    "reset": lambda session: session.reset(),
}
every_way_to_go_on = pytest.mark.parametrize(
    "go_on", GOING_ON.values(), ids=GOING_ON.keys()
)


@pytest.fixture
def session(demo) -> ChatSession:
    return ChatSession(*demo, options=SHORT)


@pytest.fixture(scope="module")
def picture(demo_media) -> str:
    return str(demo_media / "example.png")


def read_until(kind, events) -> None:
    for event in events:
        if isinstance(event, kind):
            return


def in_a_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Starts `work`; what it returns or raises comes into the list."""
    outcome: list[object] = []

    def run():
        try:
            outcome.append(work())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


@pytest.mark.parametrize("leaves", ["closes", "drops"])
def test_a_reader_who_leaves_keeps_what_was_said(session, picture, leaves):
    events = session.stream(QUESTION, images=[picture])
    read_until(TextDelta, events)
    assert session.reply is None
    if leaves == "closes":
        events.close()
    del events
    assert [m.role for m in session.messages] == ["user", "assistant"]
    assert session.reply.reason == "cancelled"


@pytest.mark.parametrize("then", ["holds", "closes", "drops", "resets"])
def test_a_reader_who_leaves_at_the_end_has_the_whole_reply(session, picture, then):
    events = session.stream(QUESTION, images=[picture])
    read_until(Finished, events)
    reply = session.reply
    if then == "closes":
        events.close()
    if then == "drops":
        del events
    if then == "resets":
        session.reset()
        assert list(events) == []
    else:
        assert session.messages[-1] == reply.message()
        assert session.reply is reply
    assert reply.reason == "stop"
    assert reply.usage.generated_tokens > 0


@every_way_to_go_on
def test_who_reads_on_an_answer_that_was_ended_is_told(session, picture, go_on):
    first = session.stream(QUESTION, images=[picture])
    read_until(TextDelta, first)
    going_on = go_on(session)
    told = session.messages
    with pytest.raises(ConversationInUse, match="read an answer to its end"):
        next(first)
    assert session.messages == told
    del going_on


def test_a_question_ends_the_answer_before_it(session, picture):
    first = session.stream(QUESTION, images=[picture])
    read_until(TextDelta, first)
    session.ask(NEXT)
    assert [m.role for m in session.messages] == ["user", "assistant"] * 2


def test_a_question_that_was_never_read_does_not_vanish_in_silence(session):
    first, second = session.stream("Hello!"), session.stream(NEXT)
    with pytest.raises(ConversationInUse):
        list(first)
    assert isinstance(list(second)[-1], Finished)
    assert [m.text for m in session.messages if m.role == "user"] == [NEXT]


@every_way_to_go_on
def test_while_another_thread_makes_an_event_nobody_goes_on(
    demo, session, monkeypatch, go_on
):
    session.ask("Hi")
    model = type(demo[0])
    embed = model.embed_inputs
    at_work, refused = threading.Event(), threading.Event()

    def embed_waiting(self, *arguments):
        if not at_work.is_set():
            at_work.set()
            refused.wait()
        return embed(self, *arguments)

    monkeypatch.setattr(model, "embed_inputs", embed_waiting)
    reader, outcome = in_a_thread(lambda: session.ask("Hello!"))
    at_work.wait()
    try:
        with pytest.raises(ConversationInUse, match="another thread"):
            go_on(session)
    finally:
        refused.set()
        reader.join()
    assert outcome == [session.reply]
    assert [m.text for m in session.messages[::2]] == ["Hi", "Hello!"]


@every_way_to_go_on
def test_an_ask_that_another_thread_ended_between_events_is_told(
    session, picture, monkeypatch, go_on
):
    read = Turn.read
    between, went_on = threading.Event(), threading.Event()

    def read_with_a_pause(self):
        for event in read(self):
            if isinstance(event, TextDelta) and not between.is_set():
                between.set()
                went_on.wait()
            yield event

    monkeypatch.setattr(Turn, "read", read_with_a_pause)
    asker, outcome = in_a_thread(lambda: session.ask(QUESTION, images=[picture]))
    between.wait()
    going_on = go_on(session)
    told = session.messages
    went_on.set()
    asker.join()
    assert [type(each) for each in outcome] == [ConversationInUse]
    assert session.messages == told
    del going_on


@pytest.fixture
def threads_that_switch_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(work: Callable[[str], list]) -> list:
    """What `work` returns to each of six threads, all of it in one list."""
    together = threading.Barrier(6)

    def begin(name):
        together.wait()
        return work(name)

    working = [in_a_thread(lambda name=name: begin(name)) for name in "abcdef"]
    for thread, _ in working:
        thread.join()
    return [each for _, (given,) in working for each in given]


@pytest.mark.usefixtures("threads_that_switch_often")
def test_of_threads_that_ask_at_once_each_has_its_own_reply_or_is_told(demo):
    session = ChatSession(*demo, options=ChatOptions(max_tokens=3, thinking=False))

    def ask_twice(name):
        replies = []
        for question in (f"{name}1", f"{name}2"):
            with contextlib.suppress(ConversationInUse):
                replies.append((question, session.ask(question).answer))
        return replies

    replies = at_once(ask_twice)
    assert replies  # nobody ends the last one
    texts = [m.text for m in session.messages]
    assert set(replies) <= set(zip(texts[::2], texts[1::2], strict=True))


@pytest.mark.usefixtures("threads_that_switch_often")
def test_of_answers_begun_at_once_one_can_be_read(session):
    begun = at_once(lambda name: [session.stream(name) for _ in range(50)])
    whole = []
    for events in begun:
        with contextlib.suppress(ConversationInUse):
            whole.append(list(events))
    assert len(begun) == 300
    assert len(whole) == 1


class Scripted:
    """An answer of two words whose second waits until it may come."""

    def __init__(self) -> None:
        self.at_second, self.may_go_on = threading.Event(), threading.Event()
        self.closing, self.may_close = threading.Event(), threading.Event()

    def events(self):
        try:
            yield TextDelta("answer", "one")
            self.at_second.set()
            self.may_go_on.wait()
            yield TextDelta("answer", " two")
            yield Finished("stop", Usage(generated_tokens=2))
        finally:
            self.closing.set()
            self.may_close.wait()


@pytest.fixture
def script() -> Scripted:
    return Scripted()


@pytest.fixture
def turn(script) -> Turn:
    return Turn(script.events(), (), Message("user", "Hi"), ())


def test_a_turn_whose_event_is_being_made_does_not_close(script, turn):
    script.may_close.set()
    reader, outcome = in_a_thread(lambda: list(turn.read()))
    script.at_second.wait()
    assert not turn.close()
    script.may_go_on.set()
    reader.join()
    assert len(outcome[0]) == 3
    assert turn.reply.answer == "one two"
    assert turn.close()
    assert turn.reply.reason == "stop"


def test_a_reader_who_comes_while_the_turn_is_closed_is_told(script, turn):
    events = turn.read()
    next(events)
    closer, closed = in_a_thread(turn.close)
    script.closing.wait()
    assert not turn.close()
    reader, outcome = in_a_thread(lambda: next(events))
    script.may_close.set()
    closer.join()
    reader.join()
    assert closed == [True]
    assert [type(each) for each in outcome] == [ConversationInUse]
    assert turn.reply.reason == "cancelled"
    assert [m.text for m in turn.messages] == ["Hi", "one"]


def test_a_turn_that_did_not_begin_leaves_no_trace(turn):
    assert turn.close()
    assert turn.reply is None
    assert turn.messages == ()
