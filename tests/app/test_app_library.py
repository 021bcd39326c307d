"""The list of conversations in the real app: found, named, kept, removed, taken out."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from tests.app.real_app import PICTURE, RealApp, running, spin


@pytest.fixture(scope="module")
def app(qapp, qapp_theme, tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    with running(folder, qapp, qapp_theme, load_last_model=False) as app:
        yield app


@pytest.fixture
def told(app: RealApp) -> int:
    """A conversation of three turns, the answer in two variants; it is shown."""
    app.sidebar.search.clear()
    app.sidebar.search_changed.emit("")
    number = app.store.create_conversation().id
    asked = app.store.add_question(
        number, None, "Where is the lighthouse?", (app.store.media.attach(PICTURE),)
    )
    for words in ("It stands on a granite rock.", "It stands at the harbour."):
        answer = app.store.add_answer(number, asked.id, "Demo")
        app.store.append(answer.id, "text", words)
        app.store.finish(answer.id, "complete")
    app.store.add_question(number, answer.id, "Thanks")
    app.talk.listed.emit()
    app.sidebar.opened.emit(number)
    return number


def test_a_search_finds_words_and_opens_their_place(app, told):
    app.new()
    app.sidebar.search.setText("harb")
    app.press(Qt.Key.Key_Return, app.sidebar.search)
    spin(app.sidebar.hits.rowCount, "the hits")
    app.press(Qt.Key.Key_Return, app.sidebar.search)
    assert app.talk.conversation.id == told
    assert app.turns()[1].text == "It stands at the harbour."


def test_a_hit_on_another_branch_shows_that_branch(app, told):
    hits = [hit for hit in app.store.search("granite") if hit.conversation == told]
    assert app.turns()[1].id != hits[0].turn
    app.sidebar.hit_opened.emit(told, hits[0].turn)
    assert app.turns()[1].text == "It stands on a granite rock."
    app.new()
    app.store.choose_variant(hits[0].turn, 1)
    app.sidebar.hit_opened.emit(told, hits[0].turn)
    assert app.turns()[1].id == hits[0].turn


@pytest.mark.usefixtures("told")
def test_a_search_without_a_hit_says_so(app):
    app.sidebar.search_changed.emit("zeppelin")
    assert app.sidebar.hits.rowCount() == 0
    assert app.sidebar.empty.isVisible()
    app.sidebar.search_changed.emit("")
    assert app.sidebar.list.isVisible()


def test_a_name_given_by_hand_stays(app, told):
    app.sidebar.rename_requested.emit(told, "Lights")
    assert app.store.conversation(told).title == "Lights"
    assert app.window.header.title.accessibleName() == "Lights"
    assert "Lights" in [each.title for each in app.listed()]


def test_a_pinned_conversation_stands_first(app, told):
    newer = app.store.create_conversation()
    app.sidebar.pin_requested.emit(told, True)
    assert app.listed()[0].id == told
    app.sidebar.pin_requested.emit(told, False)
    assert app.listed()[0].id == newer.id


def test_a_deleted_conversation_comes_back_with_everything(app, told):
    app.write("unsent")
    app.sidebar.delete_requested.emit(told)
    assert app.talk.conversation is None
    assert app.turns() == ()
    assert app.composer.text == ""
    assert told not in [each.id for each in app.listed()]
    app.sidebar.undo.button.click()
    assert told in [each.id for each in app.listed()]
    app.sidebar.opened.emit(told)
    assert len(app.turns()) == 3
    assert app.composer.text == "unsent"


def test_an_export_as_markdown_has_its_media_beside_it(
    app, told, tmp_path, monkeypatch
):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    app.sidebar.export_requested.emit(told, "markdown")
    (page,) = tmp_path.rglob("*.md")
    text = page.read_text()
    assert "It stands at the harbour." in text
    assert "granite" not in text
    (media,) = tmp_path.rglob("*.png")
    assert media.read_bytes() == PICTURE.read_bytes()
    assert str(page) in app.window.notices.text


def test_an_export_as_json_has_every_branch(app, told, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    app.sidebar.export_requested.emit(told, "json")
    (page,) = tmp_path.rglob("*.json")
    kept = json.loads(page.read_text())
    assert "granite" in json.dumps(kept)
    assert "harbour" in json.dumps(kept)


def test_an_export_that_cannot_be_written_is_said(app, told, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "file")
    )
    app.sidebar.export_requested.emit(told, "markdown")
    assert "failed" in app.window.notices.text
