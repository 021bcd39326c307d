"""Files on their way into a question: dropped, pasted, refused, many, oddly named."""

from __future__ import annotations

import os
import random
from urllib.parse import quote

import pytest
from PIL import Image
from PySide6.QtCore import QByteArray, QMimeData, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from tests.app.real_app import CLIP, PICTURE, RealApp, running, spin


@pytest.fixture(scope="module")
def live(qapp, qapp_theme, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    with running(folder, qapp, qapp_theme, theme="light") as app:
        app.ready()
        yield app


@pytest.fixture
def app(live: RealApp):
    """A new conversation with an empty composer."""
    live.new()
    live.think(False)
    yield live
    for item in live.draft.items:
        live.draft.remove(item.key)
    live.write("")
    live.composer.show_notice("")


def document(path, pages=2):
    colors = ("white", "red", "green")
    sheets = [Image.new("RGB", (300, 400), color) for color in colors]
    sheets[0].save(path, "PDF", save_all=True, append_images=sheets[1:pages])
    return path


def picture(path, number=0):
    rng = random.Random(number)
    color = tuple(rng.randrange(256) for _ in range(3))
    Image.new("RGB", (56, 56), color).save(path, "PNG")
    return path


def test_a_dropped_picture_shows_its_cost_before_it_is_sent(app):
    alone = app.counted()
    app.drop(PICTURE)
    app.attached(1)
    (card,) = app.composer.strip.cards
    assert card.value.name == "example.png"
    assert card.value.tokens > 0
    spin(lambda: app.composer.strip.cards[0].value.thumbnail, "the thumbnail")
    assert app.counted() - alone >= card.value.tokens


def test_the_count_before_sending_is_what_the_model_reads(app):
    app.drop(PICTURE)
    app.attached(1)
    app.write("Describe the picture.")
    told = app.counted()
    answer = app.ask("Describe the picture.")
    assert answer.stats.prompt_tokens == told
    assert answer.stats.image_tokens == app.turns()[0].attachments[0].tokens


def test_a_dropped_clip_is_answered_by_what_moves_in_it(app):
    app.drop(CLIP)
    app.attached(1)
    (card,) = app.composer.strip.cards
    assert (card.value.kind, card.value.problem) == ("video", None)
    assert card.value.length > 0
    answer = app.ask("Which way does the shape move?")
    assert answer.stats.video_tokens
    assert answer.state == "complete"


def test_a_dropped_document_shows_its_pages_and_can_be_asked_about(app, tmp_path):
    app.drop(document(tmp_path / "two pages.pdf"))
    app.attached(1)
    (card,) = app.composer.strip.cards
    assert (card.value.kind, card.value.problem) == ("document", None)
    assert card.value.pages == 2
    answer = app.ask("Describe the picture.")
    assert answer.error is None
    assert answer.stats.image_tokens == app.turns()[0].attachments[0].tokens


def test_pages_chosen_in_the_viewer_are_counted_and_go(app, tmp_path):
    app.drop(document(tmp_path / "three pages.pdf", pages=3))
    app.attached(1)
    app.write("Describe the picture.")
    whole = app.counted()
    (card,) = app.composer.strip.cards
    app.press(Qt.Key.Key_Return, card)
    dialog = app.viewer.dialog
    grid, field = dialog.stage.grid, dialog.fields.pages
    spin(lambda: all(grid.cells.picture(n) for n in range(3)), "the pages")
    assert dialog.facts.text() == f"3 pages · {card.value.tokens} tokens"
    QTest.keyClicks(field.edit, "2-3")
    spin(lambda: app.draft.items[0].attachment.pages == (2, 3), "the choice")
    app.attached(1)
    (item,) = app.draft.items
    assert dialog.facts.text() == f"2 of 3 pages · {item.cost.tokens} tokens"
    spin(lambda: card.value.tokens == item.cost.tokens, "the card's tokens")
    app.press(Qt.Key.Key_Escape, dialog)
    assert app.viewer.dialog is None
    told = app.counted()
    assert told < whole
    answer = app.ask("Describe the picture.")
    (sent,) = app.turns()[0].attachments
    assert sent.pages == (2, 3)
    assert answer.stats.prompt_tokens == told
    app.transcript.media_opened.emit(sent)
    dialog = app.viewer.dialog
    spin(lambda: dialog.facts.text() == f"2 pages · {sent.tokens} tokens", "its facts")
    assert dialog.fields is None
    dialog.close()


def test_a_pasted_picture_is_attached(app):
    image = QImage(64, 64, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    mime = QMimeData()
    mime.setImageData(image)
    app.paste(mime)
    app.attached(1)
    assert app.composer.text == ""
    assert app.draft.items[0].attachment.kind == "image"


def test_a_picture_dragged_from_a_browser_is_attached(app):
    mime = QMimeData()
    mime.setData("image/png", QByteArray(PICTURE.read_bytes()))
    mime.setData("text/uri-list", QByteArray(b"https://example.org/shapes.html"))
    app.drop_data(mime)
    app.attached(1)
    assert app.draft.items[0].problem is None


def test_of_a_folder_what_can_be_shown_is_taken(app, tmp_path):
    folder = tmp_path / "holiday"
    (folder / "inside").mkdir(parents=True)
    picture(folder / "b.png", 1)
    picture(folder / "inside" / "c.png", 2)
    (folder / "notes.txt").write_text("nothing to see")
    app.drop(folder)
    app.attached(2)
    names = [item.attachment.name for item in app.draft.items]
    assert names == ["b.png", "c.png"]
    assert app.composer.notice.text == ""


def test_bad_files_are_refused_with_the_reason_and_the_others_stay(app, tmp_path):
    (tmp_path / "words.docx").write_bytes(b"PK\x03\x04 some office file")
    (tmp_path / "empty.png").write_bytes(b"")
    broken = tmp_path / "broken.png"
    broken.write_bytes(PICTURE.read_bytes()[:200])
    app.drop(
        tmp_path / "words.docx",
        PICTURE,
        tmp_path / "empty.png",
        tmp_path / "nowhere.png",
        broken,
    )
    app.attached(2)
    lines = app.composer.notice.text.splitlines()
    names = ("words.docx", "empty.png", "nowhere.png")
    assert len(lines) == len(names)
    for name, line in zip(names, lines, strict=True):
        assert line.startswith(name)
        assert len(line) > len(name) + 5  # and why
    spin(lambda: app.draft.items[1].problem, "the look at all of it")
    spin(lambda: app.composer.strip.cards[1].value.problem, "the reason")
    whole, bad = app.composer.strip.cards
    assert whole.value.problem is None
    assert "broken.png" in bad.value.name
    assert bad.value.problem
    assert app.draft.attachments[0].name == "example.png"
    assert len(app.draft.attachments) == 1
    assert app.ask("Describe the picture.").state == "complete"
    assert len(app.turns()[0].attachments) == 1


def test_a_new_drop_forgets_what_was_refused_before(app, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    app.drop(tmp_path / "a.txt")
    spin(lambda: "a.txt" in app.composer.notice.text, "the refusal")
    app.drop(PICTURE)
    app.attached(1)
    assert app.composer.notice.text == ""


@pytest.mark.parametrize(
    "name",
    [
        "two  words & more #1 100%.png",
        "ünïcode 図 😀.png",
        "line\nbreak.png",
        "'quoted' \"twice\" <b>.png",
        "-rf.png",
        "no suffix",
        os.fsdecode(b"caf\xe9.png"),
        "a" * 240 + ".png",
    ],
    ids=["spaces", "unicode", "newline", "quotes", "dash", "bare", "bytes", "long"],
)
def test_odd_names_are_taken_shown_and_kept(app, tmp_path, name):
    mime = QMimeData()
    path = os.fsencode(picture(tmp_path / name))
    mime.setData("text/uri-list", QByteArray(b"file://" + quote(path).encode()))
    app.drop_data(mime)
    app.attached(1)
    assert app.draft.items[0].problem is None
    app.draft.save()
    number = app.talk.conversation.id
    (kept,) = app.store.conversation(number).draft_attachments
    assert kept.digest == app.draft.items[0].attachment.digest


def test_fifty_files_come_in_their_order_with_all_their_costs(app, tmp_path):
    paths = [picture(tmp_path / f"{n:02}.png", n) for n in range(50)]
    app.drop(*paths)
    app.attached(50, timeout=60)
    assert [i.attachment.name for i in app.draft.items] == [p.name for p in paths]
    assert all(card.value.tokens for card in app.composer.strip.cards)
    assert app.counted() > sum(item.cost.tokens for item in app.draft.items)


def test_the_detail_changes_how_closely_a_picture_is_looked_at(app, tmp_path):
    Image.effect_noise((500, 500), 40).convert("RGB").save(tmp_path / "large.png")
    app.drop(tmp_path / "large.png")
    app.attached(1)
    normal = app.draft.items[0].attachment.max_pixels
    app.composer.detail_changed.emit("low")
    app.attached(1)
    assert app.draft.items[0].attachment.max_pixels < normal
    app.composer.detail_changed.emit("high")
    app.attached(1)
    assert app.draft.items[0].attachment.max_pixels is None
    app.composer.detail_changed.emit("normal")
    assert app.draft.items[0].attachment.max_pixels == normal


def test_cards_are_removed_and_moved(app, tmp_path):
    app.drop(*(picture(tmp_path / f"{n}.png", n) for n in range(3)))
    app.attached(3)
    cards = app.composer.strip.cards
    app.press(Qt.Key.Key_Delete, cards[0])
    app.attached(2)
    first = app.composer.strip.cards[0]
    first.moved.emit(first.value.key, 1)
    spin(lambda: app.composer.strip.cards[0] is not first, "the move")
    assert [i.attachment.name for i in app.draft.items] == ["2.png", "1.png"]


def test_a_file_that_vanished_from_the_store_is_said_and_its_conversation_opens(app):
    app.drop(PICTURE)
    app.attached(1)
    app.ask("Describe the picture.")
    number = app.talk.conversation.id
    file = app.store.media.file_of(app.turns()[0].attachments[0])
    kept = file.read_bytes()
    app.new()
    file.unlink()
    try:
        app.sidebar.opened.emit(number)
        assert len(app.turns()) == 2
        answer = app.ask("How many shapes are there?")
        assert answer.state == "failed"
        assert "no longer there" in answer.error
    finally:
        file.write_bytes(kept)
