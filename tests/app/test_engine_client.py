"""The demo in its real process: questions, stops, refusals, models that go."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.engine.client import EngineClient
from app.engine.protocol import Sampling
from tests.app.engine_talk import (
    ENDLESS,
    LONG,
    MEDIA,
    Heard,
    model,
    picture,
    question,
    user,
)

pytestmark = pytest.mark.usefixtures("qapp")


@pytest.fixture(scope="module")
def shared(qapp, tmp_path_factory) -> Iterator[EngineClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLM45V_APP_DATA", str(tmp_path_factory.mktemp("data")))
        client = EngineClient(qapp)
        yield client
        client.shutdown()


@pytest.fixture
def client(shared, wait_until) -> EngineClient:
    shared.load("demo")
    wait_until(lambda: shared.state.phase == "ready", timeout=60)
    return shared


@pytest.fixture
def heard(client) -> Iterator[Heard]:
    heard = Heard(client)
    yield heard
    for signal_ in ("state_changed", "progressed", "text", "finished", "failed"):
        getattr(client, signal_).disconnect()


def test_the_demo_is_loaded_and_says_what_it_takes(client):
    state = client.state
    assert (state.model, state.title) == ("demo", "Demo")
    assert state.context_length > 1000
    assert 1e6 < state.memory < state.machine_memory
    assert not state.restartable
    assert state.problem is None


def test_an_answer_about_a_picture_streams(client, heard, wait_until):
    client.ask(question(1, user("Describe the picture.", picture())))
    assert client.state.phase == "working"
    wait_until(lambda: heard.over, timeout=30)
    assert heard.words() == (
        "The picture shows a red circle, a blue square and a yellow star."
    )
    assert len(heard.texts) > 5
    assert {each.stage for each in heard.progress} == {"media", "vision", "prompt"}
    (end,) = heard.finished
    assert (end.id, end.reason, end.thinking_seconds) == (1, "stop", None)
    assert end.stats.image_tokens > 0
    assert end.stats.prompt_tokens > end.stats.image_tokens
    assert end.stats.tokens_per_second > 0
    assert end.stats.time_to_first_token > 0
    assert end.stats.peak_memory > 0
    assert client.state.phase == "ready"


def test_thinking_is_apart_and_timed(client, heard, wait_until):
    client.ask(question(2, user("How many shapes?", picture()), thinking=True))
    wait_until(lambda: heard.over, timeout=30)
    assert heard.words("thinking")
    assert heard.words("answer")
    assert heard.finished[0].thinking_seconds > 0
    assert heard.finished[0].stats.thinking_tokens > 0


def test_a_second_turn_knows_the_picture_of_the_first(client, heard, wait_until):
    first = user("Describe the picture.", picture())
    client.ask(question(3, first))
    wait_until(lambda: heard.over, timeout=30)
    said = heard.words()
    heard.forget()
    client.ask(question(4, first, model(said), user("How many shapes are there?")))
    wait_until(lambda: heard.over, timeout=30)
    assert "three" in heard.words()
    assert heard.finished[0].stats.image_tokens > 0


@pytest.mark.parametrize("words", [ENDLESS, LONG], ids=["words", "reading"])
def test_a_stop_is_felt_within_a_third_of_a_second(client, heard, wait_until, words):
    def felt_after() -> float:
        heard.forget()
        client.ask(question(5, user(words)))
        begun = heard.texts if words == ENDLESS else heard.progress
        wait_until(lambda: begun, timeout=30)
        stopped = time.monotonic()
        client.stop()
        wait_until(lambda: heard.over, timeout=30)
        assert heard.finished[0].reason == "cancelled"
        assert client.state.phase == "ready"
        return time.monotonic() - stopped

    # Machines of tests are busy with other things, too.
    assert min(felt_after() for _ in range(3)) < 0.3


def test_a_stop_right_after_the_question_is_not_lost(client, heard, wait_until):
    client.ask(question(6, user(ENDLESS)))
    client.stop()
    wait_until(lambda: heard.over, timeout=30)
    assert heard.finished[0].reason == "cancelled"
    heard.forget()
    client.ask(question(6, user("Hi"), max_tokens=3))
    wait_until(lambda: heard.over, timeout=30)
    assert heard.finished[0].reason != "cancelled"


def test_answering_now_ends_the_thinking(client, heard, wait_until):
    client.ask(question(7, user(ENDLESS), thinking=True, max_tokens=1500))
    wait_until(lambda: heard.words("thinking"), timeout=30)
    client.answer_now()
    wait_until(lambda: heard.words("answer"), timeout=30)
    client.stop()
    wait_until(lambda: heard.over, timeout=30)
    assert heard.finished[0].stats.thinking_tokens < 1400


def test_a_cut_answer_goes_on_and_its_boxes_are_those_of_the_whole(
    client, heard, wait_until
):
    begun = "The circle is at [[100, 200, 500, 600]]. The"
    ask = question(
        8, user("Where is it?", picture()), model(begun), max_tokens=4, go_on=True
    )
    client.ask(ask)
    wait_until(lambda: heard.over, timeout=30)
    assert not heard.words().startswith(begun)
    (box,) = heard.finished[0].boxes
    assert (box.label, box.message, box.part, box.page) == ("circle", 0, 0, None)
    assert (box.left, box.top, box.right, box.bottom) == (45, 67, 224, 202)
    assert (box.width, box.height) == (448, 336)
    assert begun[box.start : box.stop] == "[100, 200, 500, 600]"


def test_sampling_and_budgets_reach_the_model(client, heard, wait_until):
    ask = question(9, user("How many?", picture()), thinking=True, budget=2)
    sampled = replace(ask.options, sampling=Sampling(0.0, 0.0, 0, 1.0))
    client.ask(replace(ask, options=sampled))
    wait_until(lambda: heard.over, timeout=30)
    assert heard.finished[0].stats.thinking_tokens <= 2
    assert heard.words()


def test_a_bad_file_is_told_by_the_name_it_had(client, heard, wait_until, tmp_path):
    stored = tmp_path / "0af3"
    stored.write_bytes(b"no picture")
    client.ask(question(10, user("What?", picture(stored, "holiday.jpg"))))
    wait_until(lambda: heard.over, timeout=30)
    (failure,) = heard.failed
    assert (failure.id, failure.kind) == (10, "MediaError")
    assert "holiday.jpg" in failure.message
    assert "0af3" not in failure.message
    assert client.state.phase == "ready"


def test_what_does_not_fit_is_told_with_the_numbers(client, heard, wait_until):
    ask = question(11, user("x y " * 100))
    short = replace(ask.options, context_length=50)
    client.ask(replace(ask, options=short))
    wait_until(lambda: heard.over, timeout=30)
    assert heard.failed[0].kind == "PromptTooLong"
    assert "50" in heard.failed[0].message


def test_the_next_question_may_be_asked_where_the_last_one_ended(
    client, heard, wait_until
):
    following = question(13, user("Hi"), max_tokens=2)
    client.finished.connect(lambda end: end.id == 12 and client.ask(following))
    client.ask(question(12, user("Hi"), max_tokens=2))
    wait_until(lambda: len(heard.finished) == 2, timeout=30)
    assert [end.id for end in heard.finished] == [12, 13]
    assert client.state.phase == "ready"
    assert heard.states[-1].phase == "ready"


def test_a_question_too_many_is_refused(client, heard, wait_until):
    client.ask(question(14, user(ENDLESS)))
    client.ask(question(15, user("Hi")))
    assert [(each.id, each.kind) for each in heard.failed] == [(15, "NotReady")]
    client.stop()
    wait_until(lambda: heard.finished, timeout=30)
    assert heard.finished[0].id == 14


def test_the_same_model_is_not_loaded_twice(client):
    before = client.process_id
    client.load("demo")
    assert client.process_id == before
    assert client.state.phase == "ready"


def test_a_process_that_does_not_listen_is_started_anew(qapp, wait_until):
    client = EngineClient(qapp, patience=300)
    heard = Heard(client)
    client.load("demo")
    wait_until(lambda: client.state.phase == "ready", timeout=60)
    client.ask(question(1, user(ENDLESS)))
    wait_until(lambda: heard.texts, timeout=30)
    hung = client.process_id
    os.kill(hung, signal.SIGSTOP)
    client.stop()
    wait_until(lambda: heard.over, timeout=30)
    assert [end.reason for end in heard.finished] == ["cancelled"]
    wait_until(lambda: client.state.phase == "ready", timeout=60)
    assert client.process_id != hung
    client.shutdown()


def test_unloading_ends_the_process_and_fails_its_question(qapp, wait_until):
    client = EngineClient(qapp)
    heard = Heard(client)
    client.load("demo")
    wait_until(lambda: client.state.phase == "ready", timeout=60)
    client.ask(question(1, user(ENDLESS)))
    client.unload()
    assert (client.state.phase, client.process_id) == ("off", 0)
    assert [each.id for each in heard.failed] == [1]
    client.load("demo")
    wait_until(lambda: client.state.phase == "ready", timeout=60)
    client.shutdown()


def test_a_missing_model_is_said_and_another_may_be_loaded(
    qapp, wait_until, tmp_path: Path
):
    client = EngineClient(qapp)
    client.load(str(tmp_path / "gone"))
    wait_until(lambda: client.state.phase == "failed", timeout=60)
    assert "gone" in client.state.problem
    assert not client.state.restartable
    client.load("demo")
    wait_until(lambda: client.state.phase == "ready", timeout=60)
    assert client.state.problem is None
    client.shutdown()


def test_a_document_page_is_named_in_its_box(client, heard, wait_until, tmp_path):
    from PIL import Image

    from app.engine.protocol import Medium

    with Image.open(MEDIA / "example.png") as page:
        page.convert("RGB").save(
            tmp_path / "two.pdf", save_all=True, append_images=[page.convert("RGB")]
        )
    paper = Medium("document", str(tmp_path / "two.pdf"), "two.pdf", pages=(2,))
    begun = "On page 2: [[100, 200, 500, 600]]. The"
    messages = (user("First"), model("Yes."), user("Where?", paper), model(begun))
    client.ask(question(16, *messages, max_tokens=2, go_on=True))
    wait_until(lambda: heard.over, timeout=30)
    (box,) = heard.finished[0].boxes
    assert (box.message, box.part, box.page) == (2, 0, 2)
