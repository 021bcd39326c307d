"""The viewer over a draft, with the real media worker: what it shows and changes."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from PIL import Image
from PySide6.QtCore import QPoint
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from app.control.draft import Draft
from app.control.viewer import Viewer
from app.conversation import Attachment
from app.store import Media
from app.workers.media import MediaWorker
from tests.app.real_app import CLIP, PICTURE, Heartbeat
from tests.media.conftest import make_film
from tests.processing.test_measure import pdf


@pytest.fixture(scope="module")
def worker(qapp, tmp_path_factory):
    worker = MediaWorker(tmp_path_factory.mktemp("previews"), qapp)
    yield worker
    worker.close()
    worker.deleteLater()


@pytest.fixture
def media(tmp_path) -> Media:
    return Media(tmp_path / "store")


@pytest.fixture
def draft(worker, media):
    draft = Draft(worker, media.file_of)
    yield draft
    draft.deleteLater()


@pytest.fixture
def viewer(worker, draft, media, qapp_theme):
    window = QWidget()
    window.resize(1000, 800)
    window.show()
    viewer = Viewer(worker, draft, media.file_of, qapp_theme, window)
    yield viewer
    viewer.close()
    viewer.deleteLater()
    window.close()
    window.deleteLater()


@pytest.fixture
def opened(viewer, draft, wait_until):
    """Put an attachment into the draft and look at it."""

    def do(attachment: Attachment) -> str:
        draft.add(attachment)
        wait_until(lambda: not draft.is_reading, 30)
        viewer.open_item(draft.items[-1].key)
        return draft.items[-1].key

    return do


def check(what: str, heart: Heartbeat) -> None:
    """The aim is 50 ms on a quiet machine."""
    print(f"\nlongest work, {what}: {heart.work * 1000:.0f} ms")
    assert heart.work < 0.1


def pages(count: int) -> bytes:
    return pdf(*[(100 + n % 7, 140) for n in range(count)])


def test_a_picture_is_shown_large_with_its_cost(
    viewer, draft, media, opened, wait_until
):
    opened(media.attach(PICTURE))
    dialog = viewer.dialog
    wait_until(lambda: not dialog.stage.canvas.is_empty, 30)
    tokens = draft.items[0].cost.tokens
    assert "448 × 336 px" in dialog.facts.text()  # noqa: RUF001
    assert dialog.facts.text().endswith(f"{tokens} tokens")
    assert dialog.windowTitle() == "example.png"


def test_a_huge_picture_is_seen_soon_and_sharp_later(
    viewer, media, opened, tmp_path, wait_until
):
    Image.new("RGB", (9000, 6000), "red").save(tmp_path / "huge.jpg")
    opened(media.attach(tmp_path / "huge.jpg"))
    canvas = viewer.dialog.stage.canvas
    with Heartbeat() as heart:
        wait_until(lambda: not canvas.is_empty, 30)
        wait_until(lambda: canvas._pyramid.size.width() > 4000, 30)
    check("a huge picture", heart)
    assert (canvas.zoom.width, canvas.zoom.height) == (9000, 6000)


@pytest.mark.parametrize("size", [(300, 5000), (7000, 200)])
def test_portraits_and_panoramas_keep_their_own_size(
    viewer, media, opened, tmp_path, wait_until, size
):
    Image.new("RGB", size, "red").save(tmp_path / "long.png")
    opened(media.attach(tmp_path / "long.png"))
    canvas = viewer.dialog.stage.canvas
    wait_until(lambda: not canvas.is_empty, 30)
    wait_until(lambda: canvas._pyramid.size.toTuple() == size, 30)


def test_a_gif_shows_its_first_picture(viewer, media, opened, tmp_path, wait_until):
    first, second = (Image.new("RGB", (80, 60), color) for color in ("red", "blue"))
    first.save(tmp_path / "two.gif", save_all=True, append_images=[second])
    opened(media.attach(tmp_path / "two.gif"))
    canvas = viewer.dialog.stage.canvas
    wait_until(lambda: not canvas.is_empty, 30)
    color = canvas._pyramid.levels[0].pixelColor(QPoint(40, 30))
    assert (color.red(), color.blue()) == (255, 0)


def test_a_detail_of_its_own_changes_the_tokens(
    viewer, draft, media, opened, wait_until
):
    key = opened(media.attach(CLIP))
    dialog = viewer.dialog
    assert dialog.fields.detail.box.text() == "Normal"
    dialog.edited.emit("detail", "low")
    assert "counting tokens" in dialog.facts.text()
    assert draft.item(key).attachment.fps == 1.0
    wait_until(lambda: "counting" not in dialog.facts.text(), 30)
    assert dialog.fields.detail.box.text() == "Low: fewer tokens"


def test_a_videos_frames_are_those_that_the_model_sees(
    viewer, draft, media, opened, wait_until
):
    key = opened(media.attach_bytes(make_film(frames=80, rate=10), "film.mp4"))
    dialog = viewer.dialog
    cells = dialog.stage.grid.cells
    cost = draft.item(key).cost
    assert cells.rowCount() == len(cost.seconds)
    assert dialog.facts.text() == (
        f"0:08 · {len(cost.seconds)} frames · {cost.tokens} tokens"
    )
    wait_until(lambda: cells.picture(0) and cells.picture(1), 30)
    dialog.edited.emit("fps", 4.0)
    wait_until(lambda: cells.rowCount() > len(cost.seconds), 30)
    assert draft.item(key).attachment.fps == 4.0
    assert dialog.fields.fps.box.text() == "4"
    wait_until(lambda: cells.picture(0) and cells.picture(1), 30)


def test_a_frame_is_enlarged_to_its_own_size(viewer, media, opened, wait_until):
    opened(media.attach(CLIP))
    stage = viewer.dialog.stage
    stage.enlarge(1)
    wait_until(lambda: not stage.canvas.is_empty, 30)
    own = stage.canvas.zoom.width
    wait_until(lambda: stage.canvas._pyramid.size.width() == own, 30)


def test_a_range_of_pages_changes_what_goes_and_its_tokens(
    viewer, draft, media, opened, wait_until
):
    key = opened(media.attach_bytes(pages(5), "five.pdf"))
    dialog, whole = viewer.dialog, draft.item(key).cost.tokens
    assert dialog.facts.text() == f"5 pages · {whole} tokens"
    dialog.fields.pages.edit.setText("2-3")
    dialog.fields.pages.tell()
    assert draft.item(key).attachment.pages == (2, 3)
    wait_until(lambda: draft.item(key).cost, 30)
    part = draft.item(key).cost.tokens
    assert part < whole
    assert dialog.facts.text() == f"2 of 5 pages · {part} tokens"
    dialog.fields.pages.edit.setText("9")
    dialog.fields.pages.tell()
    assert draft.item(key).attachment.pages == (2, 3)
    assert "no page 9" in dialog.fields.pages.below.text()


def test_a_range_that_was_kept_knows_the_other_pages(viewer, draft, media, wait_until):
    kept = replace(media.attach_bytes(pages(5), "five.pdf"), pages=(4,))
    draft.open("", (kept,), (), thinking=False)
    wait_until(lambda: not draft.is_reading, 30)
    viewer.open_item(draft.items[0].key)
    dialog = viewer.dialog
    wait_until(lambda: dialog.stage.grid.cells.rowCount() == 5, 30)
    assert dialog.fields.pages.edit.text() == "4"
    wait_until(lambda: dialog.stage.grid.cells.picture(0), 30)


def test_a_thousand_pages_are_drawn_as_they_are_seen(viewer, media, opened, wait_until):
    opened(media.attach_bytes(pages(1000), "long.pdf"))
    grid = viewer.dialog.stage.grid
    with Heartbeat() as heart:
        wait_until(lambda: grid.cells.picture(0), 30)
        grid.set_place(900)
        wait_until(lambda: grid.cells.picture(900), 30)
    check("1,000 pages", heart)
    assert grid.cells.picture(450) is None


def test_what_was_sent_is_only_looked_at(viewer, media, wait_until):
    sent = media.attach_bytes(pages(5), "five.pdf")
    viewer.open_attachment(replace(sent, pages=(2, 4), tokens=77))
    dialog = viewer.dialog
    cells = dialog.stage.grid.cells
    wait_until(lambda: cells.rowCount() == 2, 30)
    assert [cells.index(n).data() for n in range(2)] == ["2", "4"]
    wait_until(lambda: dialog.facts.text() == "2 pages · 77 tokens", 30)
    assert dialog.fields is None
    wait_until(lambda: cells.picture(1), 30)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cut.mp4", CLIP.read_bytes()[:900]),
        ("cut.png", PICTURE.read_bytes()[:200]),
        ("cut.pdf", b"%PDF-1.4 and no more"),
        ("empty.mp4", b""),
    ],
)
def test_a_damaged_file_says_what_is_wrong(viewer, media, wait_until, name, data):
    attachment = media.attach_bytes(data or CLIP.read_bytes(), name)
    if not data:  # emptied after it came in, by a full disk perhaps
        media.file_of(attachment).write_bytes(b"")
    viewer.open_attachment(attachment)
    stage = viewer.dialog.stage
    wait_until(lambda: stage.message.property("role") == "danger", 30)
    assert stage.currentWidget() is stage.message
    assert stage.message.text()
    assert viewer.dialog.elsewhere.isEnabled()


def test_a_video_that_is_torn_where_a_frame_is_needed_is_not_sent(
    viewer, draft, media, opened, wait_until
):
    film = bytearray(make_film(frames=300, rate=10))
    torn = int(len(film) * 0.3)
    film[torn : torn + 400] = bytes(
        (byte + 77) % 256 for byte in film[torn : torn + 400]
    )
    key = opened(media.attach_bytes(bytes(film), "torn.mp4"))
    grid = viewer.dialog.stage.grid
    wait_until(lambda: grid.cells.picture(0), 30)
    viewer.dialog.stage.enlarge(14)
    wait_until(lambda: draft.item(key).problem, 30)
    message = viewer.dialog.stage.message
    assert message.text() == draft.item(key).problem
    assert message.text().startswith("torn.mp4")
    assert draft.attachments == ()


def test_a_file_that_is_gone_is_said(viewer, monkeypatch):
    tried: list[object] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", tried.append)
    viewer.open_attachment(Attachment("f" * 64, "gone.png", "image"))
    assert "no longer there" in viewer.dialog.stage.message.text()
    viewer.dialog.elsewhere.click()
    assert tried == []


def test_the_other_program_gets_the_file(viewer, media, monkeypatch):
    tried: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: tried.append(url.toLocalFile())
    )
    attachment = media.attach(PICTURE)
    viewer.open_attachment(attachment)
    viewer.dialog.elsewhere.click()
    assert tried == [str(media.file_of(attachment))]


def test_the_viewer_goes_with_what_it_shows(viewer, draft, media, opened):
    key = opened(media.attach(PICTURE))
    draft.remove(key)
    assert viewer.dialog is None
    viewer.open_item(key)
    assert viewer.dialog is None


def test_another_attachment_takes_its_place(viewer, draft, media, opened):
    first = opened(media.attach(PICTURE))
    before = viewer.dialog
    opened(media.attach(CLIP))
    assert viewer.dialog is not before
    draft.remove(first)
    assert viewer.dialog.windowTitle() == "example.mp4"


def test_it_is_there_within_a_blink(viewer, media, opened):
    key = opened(media.attach(CLIP))
    viewer.dialog.close()
    begin = time.process_time()
    viewer.open_item(key)
    took = time.process_time() - begin
    print(f"\nopening took {took * 1000:.0f} ms")
    assert took < 0.1
