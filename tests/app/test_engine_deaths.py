"""The model's process is killed at each stage: it is said, and the next one answers."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from app.engine.client import EngineClient
from app.paths import log_file
from tests.app.engine_talk import ENDLESS, LONG, Heard, picture, question, user

pytestmark = pytest.mark.usefixtures("qapp")


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GLM45V_APP_DATA", str(tmp_path))


@pytest.fixture
def client(qapp) -> Iterator[EngineClient]:
    client = EngineClient(qapp)
    yield client
    client.shutdown()


def ready(client: EngineClient, wait_until) -> None:
    wait_until(lambda: client.state.phase == "ready", timeout=60)


def test_killed_while_loading(client, wait_until):
    client.load("demo")
    wait_until(lambda: client.process_id, timeout=30)
    assert client.state.phase == "loading"
    os.kill(client.process_id, signal.SIGKILL)
    wait_until(lambda: client.state.phase == "failed", timeout=30)
    assert client.state.restartable
    assert "memory" in client.state.problem
    client.restart()
    assert client.state.phase == "loading"
    ready(client, wait_until)


@pytest.mark.parametrize(
    ("words", "stage", "number", "kind"),
    [
        (LONG, "prefilling", signal.SIGKILL, "OutOfMemory"),
        (ENDLESS, "streaming", signal.SIGKILL, "OutOfMemory"),
        (ENDLESS, "streaming", signal.SIGABRT, "Crashed"),
    ],
    ids=["killed-prefilling", "killed-streaming", "aborted-streaming"],
)
def test_killed_at_work(client, wait_until, words, stage, number, kind):
    heard = Heard(client)
    client.load("demo")
    ready(client, wait_until)
    client.ask(question(1, user(words)))
    begun = heard.texts if stage == "streaming" else heard.progress
    wait_until(lambda: begun, timeout=30)
    os.kill(client.process_id, number)
    wait_until(lambda: client.state.phase == "failed", timeout=30)
    (failure,) = heard.failed
    assert (failure.id, failure.kind) == (1, kind)
    assert failure.message == client.state.problem
    assert "restart the model" in client.state.problem.lower()
    assert client.state.restartable
    client.restart()
    ready(client, wait_until)
    heard.forget()
    client.ask(question(1, user("Describe the picture.", picture())))
    wait_until(lambda: heard.over, timeout=30)
    assert "circle" in heard.words()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import os; os._exit(3)", "status 3"),
        (
            "import os, sys; print('[METAL] Insufficient Memory', file=sys.stderr, "
            "flush=True); os.abort()",
            "memory",
        ),
    ],
    ids=["exit", "metal"],
)
def test_every_end_has_its_words_and_is_logged(qapp, wait_until, script, words):
    client = EngineClient(qapp, command=[sys.executable, "-c", script])
    client.load("demo")
    wait_until(lambda: client.state.phase == "failed", timeout=30)
    assert words in client.state.problem
    if words == "memory":
        assert "Insufficient Memory" in log_file().read_text()
    client.shutdown()


def test_a_program_that_is_not_there_is_said(qapp, wait_until, tmp_path):
    client = EngineClient(qapp, command=[str(tmp_path / "nothing")])
    client.load("demo")
    wait_until(lambda: client.state.phase == "failed", timeout=30)
    assert "could not be started" in client.state.problem
    assert client.state.restartable
    client.shutdown()
