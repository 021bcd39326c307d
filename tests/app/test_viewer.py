"""The viewer's widgets: zoom, grid, fields, keys and what a screen reader says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QKeySequence, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

from app.ui.background import Background
from app.ui.theme import Theme
from app.ui.viewer import AttachmentViewer, ViewerValue
from app.ui.viewer.ranges import pages_text, parse_pages
from app.ui.viewer.values import clock, facts, spoken_cell
from app.ui.viewer.zoom import Zoom

PICTURE = ViewerValue("a.png", "image", size=(800, 600), seen=(784, 588), tokens=588)
CLIP = ViewerValue(
    "clip.mp4", "video", tokens=1250, length=61.2, seconds=(0.0, 1.0, 2.04)
)
PAPER = ViewerValue(
    "paper.pdf", "document", tokens=9000, numbers=tuple(range(1, 15)), editable=True
)


@pytest.fixture(scope="module")
def background(qapp: QApplication) -> Iterator[Background]:
    background = Background(qapp)
    yield background
    background.close()


@pytest.fixture
def opened(
    qapp: QApplication, qapp_theme: Theme, background: Background
) -> Iterator[Callable[[ViewerValue], AttachmentViewer]]:
    """Viewers, closed at the end."""
    found: list[AttachmentViewer] = []

    def make(value: ViewerValue) -> AttachmentViewer:
        viewer = AttachmentViewer(value, qapp_theme, background, None)
        viewer.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        viewer.resize(700, 600)
        viewer.show()
        viewer.activateWindow()
        qapp.processEvents()
        found.append(viewer)
        return viewer

    yield make
    for viewer in found:
        viewer.close()
        viewer.deleteLater()
    qapp_theme.apply("light")


def heard(signal: object) -> list:
    found: list = []
    signal.connect(lambda *values: found.append(values))
    return found


def picture(path: Path, width: int, height: int) -> Path:
    Image.new("RGB", (width, height), "red").save(path)
    return path


# Words.


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("", None),
        ("  ", None),
        ("3", (3,)),
        ("1-3, 7", (1, 2, 3, 7)),
        ("7,1 - 3;2,", (1, 2, 3, 7)),
        ("2\N{EN DASH}4", (2, 3, 4)),
        ("1-14", None),
    ],
)
def test_pages_are_written_as_people_write_them(text, pages):
    assert parse_pages(text, 14) == pages


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "“x” is no page"),
        ("1-", "“1-” is no page"),
        ("0", "There is no page 0; they go from 1 to 14"),
        ("2, 15", "There is no page 15"),
        ("1-99999", "There is no page 99999"),
        ("3-1", "Write 1-3"),
        (",", "No page is named"),
        ("9" * 40, "is no page"),
    ],
)
def test_what_is_no_range_of_pages_says_why(text, said):
    with pytest.raises(ValueError, match=said):
        parse_pages(text, 14)


@pytest.mark.parametrize(
    ("pages", "text"), [(None, ""), ((1, 2, 3, 7), "1-3, 7"), ((4,), "4")]
)
def test_pages_are_shown_as_they_are_written(pages, text):
    assert pages_text(pages) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00.0"), (3.54, "0:03.5"), (59.96, "1:00.0"), (3727.0, "1:02:07.0")],
)
def test_times_are_told_to_the_tenth(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (PICTURE, "800 × 600 px · the model sees 784 × 588 px · 588 tokens"),  # noqa: RUF001
        (replace(PICTURE, seen=(800, 600), tokens=1), "800 × 600 px · 1 token"),  # noqa: RUF001
        (CLIP, "1:01 · 3 frames · 1,250 tokens"),
        (PAPER, "14 pages · 9,000 tokens"),
        (replace(PAPER, pages=(2, 3)), "2 of 14 pages · 9,000 tokens"),
        (replace(PAPER, counting=True), "14 pages · counting tokens…"),
        (ViewerValue("a.pdf", "document"), ""),
    ],
)
def test_the_line_under_the_name_tells_size_and_cost(value, text):
    assert facts(value) == text


def test_a_screen_reader_hears_frames_and_pages():
    assert spoken_cell(CLIP, 2) == "Frame 3 of 3, at 0:02.0"
    assert spoken_cell(replace(PAPER, pages=(1,)), 0) == "Page 1"
    assert spoken_cell(replace(PAPER, pages=(1,)), 1) == "Page 2, left out"


# Zoom.


def test_a_picture_fits_its_room_and_a_small_one_is_enlarged():
    assert Zoom(4000, 1000, 1000, 1000).value == 0.25
    assert Zoom(100, 100, 250, 900).value == 2.5
    assert Zoom(10, 10, 900, 900).value == 4.0


def test_steps_go_up_and_down_and_end():
    zoom = Zoom(2000, 1000, 900, 900)
    assert (zoom.fit, zoom.larger(), zoom.smaller()) == (0.45, 0.5, 0.45)
    assert replace(zoom, wanted=1.0).larger() == 1.5
    assert replace(zoom, wanted=8.0).larger() == 8.0
    assert replace(zoom, wanted=0.5).smaller() == 0.45


def test_keys_zoom_and_fit(opened, tmp_path, wait_until):
    viewer = opened(PICTURE)
    canvas = viewer.stage.canvas
    assert canvas.is_empty
    viewer.stage.set_large(0, picture(tmp_path / "a.png", 800, 600))
    wait_until(lambda: not canvas.is_empty)
    assert canvas.fits
    assert canvas.hasFocus()
    fit = canvas.zoom.value
    QTest.keyClick(canvas, Qt.Key.Key_1)
    assert canvas.zoom.value == 1.0
    assert viewer.zoom_bar.share.text() == "100 %"
    QTest.keyClick(canvas, Qt.Key.Key_Plus)
    assert canvas.zoom.value == 1.5
    assert canvas.horizontalScrollBar().maximum() > 0
    QTest.keyClick(canvas, Qt.Key.Key_Minus)
    assert canvas.zoom.value == 1.0
    QTest.keyClick(canvas, Qt.Key.Key_0)
    assert (canvas.fits, canvas.zoom.value) == (True, fit)


def test_the_wheel_zooms_and_the_point_under_it_stays(opened, tmp_path, wait_until):
    viewer = opened(PICTURE)
    canvas = viewer.stage.canvas
    viewer.stage.set_large(0, picture(tmp_path / "a.png", 800, 600))
    wait_until(lambda: not canvas.is_empty)
    at = QPointF(canvas.viewport().rect().center() + QPoint(60, 40))
    canvas.set_zoom(1.5, at)
    before = canvas._to_own(at)
    wheel = QWheelEvent(
        at,
        canvas.mapToGlobal(at),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas.viewport(), wheel)
    assert canvas.zoom.value > 1.9
    moved = canvas._to_own(at) - before
    assert abs(moved.x()) + abs(moved.y()) < 1.5


def test_the_large_picture_takes_the_small_ones_place_without_a_move(
    opened, tmp_path, wait_until
):
    viewer = opened(replace(PICTURE, size=None))
    canvas = viewer.stage.canvas
    viewer.stage.set_large(0, picture(tmp_path / "small.png", 400, 300))
    wait_until(lambda: not canvas.is_empty)
    canvas.set_zoom(2.0)
    viewer.set_value(PICTURE)
    viewer.stage.set_large(0, picture(tmp_path / "large.png", 800, 600))
    wait_until(lambda: canvas.zoom.width == 800)
    assert canvas.zoom.value == 1.0


@pytest.mark.parametrize("size", [(12, 3000), (6000, 9), (1, 1)])
def test_extreme_forms_are_shown(opened, tmp_path, wait_until, size):
    viewer = opened(replace(PICTURE, size=size))
    canvas = viewer.stage.canvas
    viewer.stage.set_large(0, picture(tmp_path / "odd.png", *size))
    wait_until(lambda: not canvas.is_empty)
    for key in (Qt.Key.Key_Plus, Qt.Key.Key_1, Qt.Key.Key_Minus, Qt.Key.Key_0):
        QTest.keyClick(canvas, key)
        assert not canvas.grab().isNull()


# The grid.


def test_frames_stand_with_their_times_and_one_is_enlarged(
    opened, tmp_path, wait_until
):
    viewer = opened(CLIP)
    stage = viewer.stage
    cells = stage.grid.cells
    assert [cells.index(n).data() for n in range(3)] == ["0:00.0", "0:01.0", "0:02.0"]
    assert viewer.zoom_bar.isHidden()
    assert viewer.place_bar.isHidden()
    enlarged = heard(viewer.enlarged)
    stage.grid.set_place(1)
    QTest.keyClick(stage.grid, Qt.Key.Key_Return)
    assert enlarged == [(1,)]
    assert viewer.place_bar.words.text() == "0:01.0"
    assert stage.canvas.accessibleName() == "Frame 2 of 3, at 0:01.0"
    stage.set_large(1, picture(tmp_path / "one.png", 64, 48))
    wait_until(lambda: not stage.canvas.is_empty)
    QTest.keyClick(stage.canvas, Qt.Key.Key_Right)
    assert enlarged[-1] == (2,)
    assert not viewer.place_bar.after.isEnabled()
    QTest.keyClick(stage.canvas, Qt.Key.Key_Escape)
    assert (stage.place, viewer.isVisible()) == (None, True)
    assert stage.grid.place == 2
    QTest.keyClick(stage.grid, Qt.Key.Key_Escape)
    assert not viewer.isVisible()


def test_only_what_is_seen_is_wanted(opened, tmp_path, wait_until):
    viewer = opened(replace(PAPER, numbers=tuple(range(1, 1001))))
    wanted = heard(viewer.wanted)
    grid = viewer.stage.grid
    wait_until(lambda: wanted)
    first = wanted[-1][0]
    assert first[0] == 0
    assert len(first) < 40
    rows = {grid.visualRect(grid.cells.index(n)).top() for n in first}
    assert len(rows) * (len(first) // len(rows)) == len(first)
    for place in first:
        viewer.stage.set_thumbnail(place, picture(tmp_path / "page.png", 30, 40))
    wait_until(lambda: not grid.cells.missing(first))
    grid.verticalScrollBar().setValue(grid.verticalScrollBar().maximum())
    wait_until(lambda: wanted[-1][0] != first)
    assert wanted[-1][0][-1] == 999


def test_a_thousand_pages_appear_within_a_blink(opened):
    viewer = opened(ViewerValue("long.pdf", "document"))
    begin = time.process_time()
    viewer.set_value(replace(PAPER, numbers=tuple(range(1, 1001))))
    viewer.stage.grid.doItemsLayout()
    assert time.process_time() - begin < 0.05
    begin = time.process_time()
    viewer.set_value(
        replace(PAPER, numbers=tuple(range(1, 1001)), pages=tuple(range(2, 900)))
    )
    assert time.process_time() - begin < 0.05


def test_pictures_that_are_out_of_sight_are_let_go(opened):
    viewer = opened(replace(PAPER, numbers=tuple(range(1, 1001))))
    cells = viewer.stage.grid.cells
    for place in range(400):
        cells.set_picture(place, QImage(30, 40, QImage.Format.Format_RGB32))
    assert cells.picture(0) is None
    assert cells.picture(399) is not None


def test_what_comes_too_late_is_not_shown(opened, tmp_path, wait_until):
    viewer = opened(CLIP)
    viewer.stage.set_thumbnail(0, picture(tmp_path / "old.png", 30, 40))
    viewer.set_value(replace(CLIP, seconds=(0.0, 0.5)))
    viewer.stage.set_thumbnail(1, picture(tmp_path / "new.png", 30, 40))
    wait_until(lambda: viewer.stage.grid.cells.picture(1))
    assert viewer.stage.grid.cells.picture(0) is None


# What can be changed.


def test_a_range_changes_the_pages_when_typing_rests(opened, wait_until):
    viewer = opened(PAPER)
    edited = heard(viewer.edited)
    field = viewer.fields.pages
    QTest.keyClicks(field.edit, "1-3, 7")
    assert edited == []
    wait_until(lambda: edited)
    assert edited == [("pages", (1, 2, 3, 7))]
    viewer.set_value(replace(PAPER, pages=(1, 2, 3, 7)))
    assert field.edit.text() == "1-3, 7"


def test_enter_takes_a_range_at_once_and_closes_nothing(opened):
    viewer = opened(PAPER)
    edited = heard(viewer.edited)
    QTest.keyClicks(viewer.fields.pages.edit, "2")
    QTest.keyClick(viewer.fields.pages.edit, Qt.Key.Key_Return)
    assert edited == [("pages", (2,))]
    assert viewer.isVisible()


def test_an_invalid_range_is_said_beside_the_field_and_changes_nothing(opened):
    viewer = opened(replace(PAPER, pages=(2,)))
    edited = heard(viewer.edited)
    field = viewer.fields.pages
    field.edit.setFocus()
    field.edit.selectAll()
    QTest.keyClicks(field.edit, "40")
    QTest.keyClick(field.edit, Qt.Key.Key_Return)
    assert edited == []
    assert field.below.text() == "There is no page 40; they go from 1 to 14."
    assert field.below.property("role") == "problem"
    assert field.edit.accessibleDescription() == field.below.text()
    field.edit.selectAll()
    QTest.keyClicks(field.edit, "2")
    QTest.keyClick(field.edit, Qt.Key.Key_Return)
    assert field.below.property("role") == "meta"
    assert edited == []


def test_a_range_typed_a_moment_ago_counts_when_the_viewer_closes(opened):
    viewer = opened(PAPER)
    edited = heard(viewer.edited)
    QTest.keyClicks(viewer.fields.pages.edit, "5")
    viewer.close()
    assert edited == [("pages", (5,))]


def test_space_takes_a_page_out_and_in_and_the_last_one_stays(opened):
    viewer = opened(PAPER)
    edited = heard(viewer.edited)
    grid = viewer.stage.grid
    grid.set_place(1)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    assert edited.pop() == ("pages", (1, *range(3, 15)))
    viewer.set_value(replace(PAPER, pages=(1, *range(3, 15))))
    QTest.keyClick(grid, Qt.Key.Key_Space)
    assert edited.pop() == ("pages", None)
    viewer.set_value(replace(PAPER, pages=(2,)))
    QTest.keyClick(grid, Qt.Key.Key_Space)
    assert edited == []
    assert "One page at least" in viewer.fields.pages.below.text()


def test_a_pages_mark_is_clicked_and_the_page_itself_enlarged(opened):
    viewer = opened(PAPER)
    edited, enlarged = heard(viewer.edited), heard(viewer.enlarged)
    grid = viewer.stage.grid
    rect = grid.visualRect(grid.cells.index(2))
    left = Qt.MouseButton.LeftButton
    mark = grid._delegate.mark(rect).center()
    QTest.mouseClick(grid.viewport(), left, pos=mark)
    assert edited == [("pages", (1, 2, *range(4, 15)))]
    assert enlarged == []
    QTest.mouseClick(grid.viewport(), left, pos=rect.center())
    assert enlarged == [(2,)]


def test_detail_and_frames_a_second_are_chosen(opened):
    viewer = opened(replace(CLIP, editable=True, fps=0.3))
    edited = heard(viewer.edited)
    assert viewer.fields.fps.box.text() == "0.3"
    assert viewer.fields.detail.box.text() == "Normal"
    QTest.keyClick(viewer.fields.detail.box, Qt.Key.Key_Down)
    viewer.fields.fps.box._choose(0)
    assert edited == [("detail", "high"), ("fps", None)]


def test_what_was_sent_has_no_fields(opened):
    viewer = opened(replace(PAPER, editable=False))
    assert viewer.fields is None
    toggled = heard(viewer.edited)
    QTest.keyClick(viewer.stage.grid, Qt.Key.Key_Space)
    assert toggled == []


# States, keys, looks.


def test_it_says_that_it_reads_and_why_it_cannot(opened):
    viewer = opened(ViewerValue("a.pdf", "document"))
    assert viewer.stage.currentWidget() is viewer.stage.message
    assert viewer.stage.message.text() == "Reading…"
    viewer.set_value(ViewerValue("a.pdf", "document", problem="a.pdf is damaged."))
    assert viewer.stage.message.text() == "a.pdf is damaged."
    assert viewer.stage.message.property("role") == "danger"
    assert viewer.elsewhere.isEnabled()


def test_a_page_that_cannot_be_drawn_says_why(opened):
    viewer = opened(PAPER)
    viewer.stage.set_problem(3, "page 4 cannot be drawn")
    viewer.stage.enlarge(3)
    assert viewer.stage.currentWidget() is viewer.stage.message
    assert viewer.stage.message.text() == "page 4 cannot be drawn"
    viewer.stage.step(1)
    assert viewer.stage.currentWidget() is viewer.stage.canvas


def test_everything_is_reached_by_tab_and_has_a_name(opened):
    viewer = opened(PAPER)
    reached: list[QWidget] = []
    for _ in range(12):
        focused = QApplication.focusWidget()
        if focused in reached:
            break
        reached.append(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    fields = viewer.fields
    wanted = (
        viewer.stage.grid,
        fields.pages.edit,
        fields.detail.box,
        viewer.elsewhere,
        viewer.done_button,
    )
    assert [each for each in reached if each in wanted] == list(wanted)
    for each in reached:
        words = each.text() if isinstance(each, QPushButton) else ""
        assert each.accessibleName() or words


def test_the_windows_own_close_key_closes_an_enlarged_frame_too(opened):
    viewer = opened(CLIP)
    viewer.stage.enlarge(1)
    keys = QKeySequence.keyBindings(QKeySequence.StandardKey.Close)[0][0]
    QTest.keyClick(viewer.stage.canvas, keys.key(), keys.keyboardModifiers())
    assert not viewer.isVisible()


def test_the_other_program_is_a_button_at_every_width(opened):
    viewer = opened(PICTURE)
    asked = heard(viewer.elsewhere_requested)
    assert viewer.elsewhere.text() == "Open in another program"
    viewer.resize(430, 400)
    QApplication.processEvents()
    assert viewer.elsewhere.text() == ""
    assert viewer.elsewhere.accessibleName() == "Open in another program"
    viewer.elsewhere.click()
    assert len(asked) == 1


@pytest.mark.parametrize("value", [PICTURE, CLIP, PAPER], ids=lambda each: each.kind)
def test_it_fits_560_pixels_at_a_large_font(opened, qapp, qapp_theme, value):
    viewer = opened(replace(value, editable=True))
    if value.kind != "image":
        viewer.stage.enlarge(1)
    qapp_theme.apply("dark", scale=1.5)
    viewer.resize(560, 420)
    qapp.processEvents()
    assert viewer.width() == 560
    assert viewer.minimumSizeHint().width() <= 560
    for button in (viewer.done_button, viewer.zoom_bar.own, viewer.zoom_bar.fit):
        right = button.mapTo(viewer, button.rect().topRight()).x()
        assert button.width() >= button.minimumSizeHint().width()
        assert right <= 560
