"""What is left when a process dies: the model's at every stage, and the app's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.store import Store
from tests.app.engine_talk import ENDLESS, LONG
from tests.app.real_app import RealApp, is_running, running, spin


@pytest.fixture(scope="module")
def live(qapp, qapp_theme, tmp_path_factory):
    folder = tmp_path_factory.mktemp("deaths")
    with running(folder, qapp, qapp_theme) as app:
        yield app


@pytest.fixture
def app(live: RealApp):
    live.new()
    live.think(False)
    yield live
    live.window.show_chat()
    if live.engine.state.phase == "failed":
        live.engine.restart()


def kill(app: RealApp) -> None:
    os.kill(app.engine.process_id, signal.SIGKILL)
    spin(lambda: app.engine.state.phase == "failed", "the failure")


def test_killed_while_loading_it_is_said_and_started_again(app):
    spin(lambda: app.engine.process_id, "the process")
    assert app.engine.state.phase == "loading"
    app.send("Hi")
    kill(app)
    notices = app.window.notices
    assert notices.isVisible()
    assert "restart the model" in notices.text
    assert app.composer.queue.rows[0].isVisible()
    notices.button.click()
    app.idle()
    assert not notices.isVisible()
    assert app.turns()[-1].state == "complete"


def test_killed_while_reading_the_question_stays(app):
    app.ready()
    app.send(LONG)
    spin(lambda: app.engine.state.phase == "working", "the work")
    kill(app)
    question, answer = app.turns()
    assert question.text == LONG.strip()
    assert answer.state == "failed"
    assert "memory" in answer.error
    problem = app.problem()
    assert problem.button.text() == "Restart the model"
    problem.button.click()
    app.ready()
    app.use("Ask again")
    spin(lambda: app.talk.busy, "the second try")
    app.stop()
    assert app.turns()[0].id == question.id


def test_killed_while_streaming_no_word_is_lost(app):
    app.ready()
    turn = app.ask_endlessly()
    row = app.answer_row()
    spin(lambda: len(row.body.text) > 30, "words")
    app.send("next")
    app.write("a draft")
    kill(app)
    seen, kept = row.body.text, app.store.turn(turn)
    assert kept.text.startswith(seen)
    assert kept.state == "failed"
    assert kept.error
    assert [each.text for each in app.talk.outbox.waiting] == ["next"]
    assert app.composer.text == "a draft"
    app.problem().button.click()
    app.idle()
    assert [t.text for t in app.turns() if t.role == "user"] == [
        ENDLESS.strip(),
        "next",
    ]
    assert app.turns()[-1].state in ("complete", "cut", "looped")
    assert app.store.turn(turn).text == kept.text


def test_killed_while_idle_it_is_said_and_the_button_works(app):
    app.ready()
    kill(app)
    assert app.window.notices.isVisible()
    assert not app.composer.tools.send.isEnabled()
    app.window.notices.button.click()
    app.ready()
    assert app.ask("Hi").state == "complete"


def test_asked_again_without_a_model_the_answer_stays(app):
    app.ready()
    before = app.ask("Hi")
    kill(app)
    app.use("Ask again")
    assert not app.talk.busy
    assert app.turns()[-1] == before
    app.window.notices.button.click()
    app.ready()


_CHILD = """
import sqlite3
from app.application import Application
from app.paths import data_folder
from app.ui.theme import Theme
from tests.app.real_app import RealApp, spin
qapp = Application(["tests"])
app = RealApp(qapp, Theme(qapp))
app.ready()
turn = app.ask_endlessly()
app.write("not sent yet")
spin(lambda: app.store.conversations()[0].draft, "the draft")
seen = len(app.answer_text())
disk = sqlite3.connect(data_folder() / "chats.db")
ask = "SELECT length(text) FROM turns WHERE id = ?"
spin(lambda: disk.execute(ask, (turn,)).fetchone()[0] >= seen, "keeping", 1.5)
print(app.engine.process_id, turn, seen, flush=True)
spin(lambda: False, "the end", 60)
"""


def test_the_app_killed_while_streaming_has_its_words_at_the_next_start(
    qapp, qapp_theme, tmp_path
):
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "GLM45V_APP_DATA": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    told = child.stdout.readline().split()
    child.kill()
    child.wait()
    child.stdout.close()
    engine, turn, seen = map(int, told)
    spin(lambda: not is_running(engine), "the end of the model's process")
    with running(tmp_path, qapp, qapp_theme, load_last_model=False) as app:
        (conversation,) = app.listed()
        app.sidebar.opened.emit(conversation.id)
        answer = app.turns()[-1]
        assert (answer.id, answer.state) == (turn, "stopped")
        assert len(answer.text) >= seen > 0
        assert app.composer.text == "not sent yet"
        row = app.answer_row()
        spin(lambda: row.body.text == answer.text, "the words")


def test_closed_while_streaming_nothing_is_lost_and_nobody_is_left(
    qapp, qapp_theme, tmp_path
):
    with running(tmp_path, qapp, qapp_theme) as app:
        app.ready()
        turn = app.ask_endlessly()
        app.send("waiting")
        seen, engine = app.answer_text(), app.engine.process_id
    assert not is_running(engine)
    store = Store(tmp_path)
    answer = store.turn(turn)
    assert answer.state == "stopped"
    assert answer.text.startswith(seen)
    assert store.conversations()[0].draft == "waiting"
    store.close()
