"""How the app starts: for the first time, again, and when something is amiss."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QAbstractButton

from app.application import Application
from tests.app.real_app import PICTURE, RealApp, running, spin


@pytest.fixture
def begin(qapp, qapp_theme, tmp_path) -> Callable:
    """`with begin(...) as app` starts the app in the same folder again and again."""
    return lambda **choices: running(tmp_path, qapp, qapp_theme, **choices)


def quiet(begin: Callable) -> Callable:
    """Without a model, where the test needs none."""
    return begin(load_last_model=False)


def test_at_the_first_start_the_demo_answers_and_nothing_is_fetched(
    begin, tmp_path, monkeypatch
):
    hub = tmp_path / "hub"
    monkeypatch.setenv("HF_HOME", str(hub))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    begun = time.monotonic()
    with begin() as app:
        shown = time.monotonic() - begun
        assert app.window.isVisible()
        assert app.transcript.isVisible()
        cards = app.window.empty.findChildren(QAbstractButton)
        next(c for c in cards if c.accessibleName().startswith("Example")).click()
        app.attached(1)
        app.ready()
        assert app.composer.text == "Where is the star?"
        answer = app.ask(app.composer.text)
        assert len(answer.boxes) == 1
        assert app.listed()[0].title == "Where is the star?"
    print(
        f"the window after {shown:.2f} s, an answer after "
        f"{time.monotonic() - begun:.2f} s"
    )
    assert not [each for each in hub.rglob("*") if each.is_file()]


def test_what_is_written_before_the_model_is_there_is_answered_by_it(begin):
    with begin() as app:
        assert app.engine.state.phase == "loading"
        app.send("Hi")
        assert [each.text for each in app.talk.outbox.waiting] == ["Hi"]
        app.idle()
        assert [turn.role for turn in app.turns()] == ["user", "assistant"]
        assert app.turns()[-1].state == "complete"


def test_drafts_and_conversations_are_there_after_a_restart(begin):
    with quiet(begin) as app:
        conversation = app.store.create_conversation()
        app.store.add_question(conversation.id, None, "An old question")
        app.wiring.parts.talk.listed.emit()
        app.sidebar.opened.emit(conversation.id)
        app.write("half a thought")
        app.drop(PICTURE)
        app.attached(1)
        app.new()
        app.write("another one")
    with quiet(begin) as app:
        titles = [each.title for each in app.listed()]
        assert sorted(titles) == ["", "An old question"]
        app.sidebar.opened.emit(conversation.id)
        assert app.composer.text == "half a thought"
        app.attached(1)
        assert [turn.text for turn in app.turns()] == ["An old question"]
        other = next(each for each in app.listed() if each.id != conversation.id)
        app.sidebar.opened.emit(other.id)
        assert app.composer.text == "another one"


def test_settings_are_there_after_a_restart(begin):
    with quiet(begin) as app:
        app.settings.change(system_prompt="Be brief.", sidebar_shown=False)
    with quiet(begin) as app:
        assert app.settings.settings.system_prompt == "Be brief."
        assert not app.sidebar.isVisible()


def test_a_damaged_database_is_put_aside_replaced_and_said(begin, tmp_path):
    with quiet(begin) as app:
        app.store.create_conversation()
    (tmp_path / "chats.db").write_bytes(b"this is no database at all" * 400)
    with begin(load_last_model=True) as app:
        assert app.listed() == ()
        app.ready()
        words = app.window.notices.text
        assert "chats.db.damaged-1" in words
        assert app.window.notices.isVisible()
        assert app.ask("Hi").state == "complete"
    kept = (tmp_path / "chats.db.damaged-1").read_bytes()
    assert kept.startswith(b"this is no database")


def test_a_last_model_that_is_gone_is_said_with_a_way_to_another(begin, tmp_path):
    with begin(last_model=str(tmp_path / "gone")) as app:
        spin(lambda: app.engine.state.phase == "failed", "the failure")
        notices = app.window.notices
        assert notices.isVisible()
        assert str(tmp_path / "gone") in notices.text
        assert not app.composer.tools.send.isEnabled()
        assert "models page" in app.composer.tools.send.toolTip()
        app.write("not lost")
        notices.button.click()
        assert app.window.pages.currentWidget() is app.window.models
        app.window.models.load_requested.emit("demo")
        app.ready()
        assert not notices.isVisible()
        assert app.settings.settings.last_model == "demo"
        app.window.show_chat()
        assert app.ask(app.composer.text).state == "complete"


def test_files_opened_with_the_app_are_attached(begin):
    with quiet(begin) as app:
        app.window.show_page(app.window.models)
        app.wiring.offer_paths((PICTURE,))
        app.attached(1)
        assert app.window.pages.currentIndex() == 0


def test_the_system_hands_over_files_by_an_event(qapp):
    heard: list[str] = []
    if not isinstance(qapp, Application):
        pytest.skip("another application was started first")
    qapp.file_opened.connect(heard.append)
    qapp.sendEvent(qapp, QFileOpenEvent(str(PICTURE)))
    qapp.file_opened.disconnect(heard.append)
    assert heard == [str(PICTURE)]


def test_a_full_disk_costs_no_word(begin, tmp_path):
    with begin(max_tokens=60) as app:
        app.ready()
        connection = app.store._database._connection
        app.ask("Hi")
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        words = "a long question " * 2000
        app.write(words)
        app.composer.send_requested.emit(words)
        notices = app.window.notices
        assert notices.isVisible()
        assert "disk" in notices.text.lower()
        assert app.composer.text == words
        connection.execute("PRAGMA max_page_count = 1000000")
        notices.hide()
        app.write("Hi")
        assert app.ask("Hi").text
        assert os.path.getsize(tmp_path / "chats.db") > 0


def test_two_windows_on_one_folder_do_not_disturb_each_other(begin, qapp, qapp_theme):
    with quiet(begin) as one:
        other = RealApp(qapp, qapp_theme)
        try:
            conversation = one.store.create_conversation()
            other.store.rename(conversation.id, "from the other")
            other.talk.listed.emit()
            one.talk.listed.emit()
            assert one.listed() == other.listed()
        finally:
            other.close()
