"""Boxes are drawn on the picture itself, not on what is shown of it."""

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QColor, QFont, QImage

from app.control.saving import PictureSaving
from app.conversation import Box
from app.ui.annotated import Ink

pytestmark = pytest.mark.usefixtures("qapp")
BOX = Box("cat", "d", None, 100, 100, 300, 200, 400, 300, 0, 3)


@pytest.fixture
def ink():
    font = QFont()
    font.setPixelSize(12)
    return Ink(QColor("red"), QColor("white"), font)


@pytest.fixture
def saving():
    owner = QObject()
    saving = PictureSaving(owner)
    saving.told = []
    saving.saved.connect(lambda path: saving.told.append(("saved", path)))
    saving.failed.connect(lambda path: saving.told.append(("failed", path)))
    yield saving
    del owner


def image(width, height):
    made = QImage(width, height, QImage.Format.Format_RGB32)
    made.fill(QColor("blue"))
    return made


def test_at_the_pictures_own_size(saving, ink, tmp_path, wait_until):
    file, target = tmp_path / "abc", tmp_path / "out.png"
    image(4000, 3000).save(str(file), "PNG")  # no suffix, as in the store
    saving.save(file, image(400, 300), (BOX,), ink, target)
    wait_until(lambda: saving.told)
    assert saving.told == [("saved", str(target))]
    saved = QImage(str(target))
    assert (saved.width(), saved.height()) == (4000, 3000)
    assert saved.pixelColor(1000, 1500) == QColor("red")  # its left edge
    assert saved.pixelColor(500, 500) == QColor("blue")


def test_what_qt_cannot_read_is_saved_as_it_is_shown(saving, ink, tmp_path, wait_until):
    file, target = tmp_path / "abc", tmp_path / "out.png"
    file.write_bytes(b"no picture of Qt's")
    for source in (file, None):
        saving.told.clear()
        saving.save(source, image(400, 300), (BOX,), ink, target)
        wait_until(lambda: saving.told)
        assert QImage(str(target)).width() == 400


def test_a_folder_that_may_not_be_written_is_said(saving, ink, tmp_path, wait_until):
    saving.save(None, image(40, 30), (), ink, tmp_path / "nowhere" / "out.png")
    wait_until(lambda: saving.told)
    assert saving.told[0][0] == "failed"
