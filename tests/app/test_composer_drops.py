import os
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QImage,
)
from PySide6.QtWidgets import QApplication, QMainWindow

from app.ui.composer import DropTarget, Offered, sources_of

PNG = b"\x89PNG\r\n\x1a\nrest"


def listed(*lines: bytes) -> QMimeData:
    mime = QMimeData()
    mime.setData("text/uri-list", QByteArray(b"\r\n".join(lines)))
    return mime


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (b"file:///tmp/a.png", "/tmp/a.png"),
        (b"file://localhost/tmp/a.png", "/tmp/a.png"),
        (b"FILE:/tmp/a.png", "/tmp/a.png"),
        (b"file:///tmp/two%20words.png", "/tmp/two words.png"),
        (b"file:///tmp/two words.png", "/tmp/two words.png"),
        (b"file:///tmp/100%25.png", "/tmp/100%.png"),
        (b"file:///tmp/100%.png", "/tmp/100%.png"),
        (b"file:///tmp/a%23b%3Fc.png", "/tmp/a#b?c.png"),
        (b"file:///tmp/a#b.png", "/tmp/a#b.png"),
        (b"file:///tmp/caf%C3%A9.png", "/tmp/café.png"),
        ("file:///tmp/café.png".encode(), "/tmp/café.png"),
        (b"file:///tmp/caf%E9.png", os.fsdecode(b"/tmp/caf\xe9.png")),
        (b"file:///tmp/folder/", "/tmp/folder"),
    ],
)
def test_a_file_is_found_however_its_address_is_escaped(line: bytes, path: str) -> None:
    assert sources_of(listed(line)).paths == (Path(path),)


@pytest.mark.parametrize(
    "line",
    [b"# a comment", b"file://elsewhere/a.png", b"file:a.png", b"file:///a%00b", b""],
)
def test_what_is_no_file_of_this_machine_is_left_out(line: bytes) -> None:
    assert not sources_of(listed(line))


def test_several_files_keep_their_order_and_come_once() -> None:
    lines = (b"#1", b"file:///b.png", b"file:///a.pdf", b"file:///b.png")
    assert sources_of(listed(*lines)).paths == (Path("/b.png"), Path("/a.pdf"))


def test_files_named_by_qt_are_found() -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile("/tmp/50 % of #1.png")])
    assert sources_of(mime).paths == (Path("/tmp/50 % of #1.png"),)


def test_a_file_goes_before_the_picture_of_it() -> None:
    mime = listed(b"file:///tmp/a.png")
    mime.setData("image/png", QByteArray(PNG))
    assert sources_of(mime) == Offered(paths=(Path("/tmp/a.png"),))


def test_a_pictures_bytes_go_before_the_address_a_browser_adds() -> None:
    mime = listed(b"https://example.org/pictures/cat.html?x=1")
    mime.setData("image/png", QByteArray(PNG))
    assert sources_of(mime) == Offered(images=((PNG, "cat.png"),))


def test_an_address_alone_is_offered_as_it_is() -> None:
    address = b"https://example.org/a%20b.png"
    assert sources_of(listed(address)).urls == (address.decode(),)


def test_a_picture_written_into_its_address_is_decoded() -> None:
    found = sources_of(listed(b"data:image/png;base64,iVBORw0KGgo="))
    assert found.images == ((b"\x89PNG\r\n\x1a\n", "picture.png"),)
    assert not sources_of(listed(b"data:image/png;base64,iVBORw0KGg"))
    assert not sources_of(listed(b"data:text/html,hello"))


def test_a_picture_without_bytes_is_given_as_it_was_drawn() -> None:
    image = QImage(8, 6, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    mime = QMimeData()
    mime.setImageData(image)
    ((drawn, name),) = sources_of(mime).images
    assert isinstance(drawn, QImage)
    assert drawn.size() == image.size()
    assert name.endswith(".png")


def test_text_offers_nothing() -> None:
    mime = QMimeData()
    mime.setText("https://example.org is a nice page")
    assert not sources_of(mime)


@pytest.fixture
def window(qapp: QApplication) -> QMainWindow:
    window = QMainWindow()
    window.resize(400, 300)
    window.show()
    qapp.processEvents()
    yield window
    window.close()
    window.deleteLater()


def entering(mime: QMimeData) -> QDragEnterEvent:
    return QDragEnterEvent(
        QPoint(5, 5),
        Qt.DropAction.CopyAction | Qt.DropAction.MoveAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )


def test_the_overlay_covers_the_window_while_files_hover(
    window: QMainWindow, qapp_theme: object
) -> None:
    target = DropTarget(qapp_theme, window)
    mime = listed(b"file:///tmp/a.png")
    event = entering(mime)
    QApplication.sendEvent(window, event)
    assert event.isAccepted()
    assert event.dropAction() == Qt.DropAction.CopyAction
    assert target.overlay.isVisible()
    assert target.overlay.geometry() == window.rect()
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert not target.overlay.isVisible()


def test_a_drop_is_offered_and_the_overlay_goes(
    window: QMainWindow, qapp_theme: object
) -> None:
    target, offered = DropTarget(qapp_theme, window), []
    target.offered.connect(offered.append)
    mime = listed(b"file:///tmp/a.png")
    QApplication.sendEvent(window, entering(mime))
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
        QEvent.Type.Drop,
    )
    QApplication.sendEvent(window, event)
    assert offered == [Offered(paths=(Path("/tmp/a.png"),))]
    assert not target.overlay.isVisible()


def test_dragged_text_shows_no_overlay(window: QMainWindow, qapp_theme: object) -> None:
    target = DropTarget(qapp_theme, window)
    mime = QMimeData()
    mime.setText("words")
    QApplication.sendEvent(window, entering(mime))
    assert not target.overlay.isVisible()
