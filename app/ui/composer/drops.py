"""What a drag or the clipboard offers, and the overlay while something hovers.

Knows how browsers and file managers word it. Does not open, walk or fetch anything.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from PySide6.QtCore import (
    QBuffer,
    QEvent,
    QIODevice,
    QMimeData,
    QObject,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QImage,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QWidget

from ..icons import pixmap
from ..palette import COMPOSER_RADIUS, HEADINGS, L, M
from ..theme import Theme

# In the order of preference: what keeps most of the picture first.
_IMAGE_FORMATS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/tiff": "tif",
    "image/heic": "heic",
    "image/avif": "avif",
    "image/bmp": "bmp",
}


@dataclass(frozen=True)
class Offered:
    """Files and folders, addresses in the web, and pictures as (bytes, name)."""

    paths: tuple[Path, ...] = ()
    urls: tuple[str, ...] = ()
    images: tuple[tuple[bytes, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.paths or self.urls or self.images)


def sources_of(mime: QMimeData) -> Offered:
    """What `mime` offers as attachments; empty when it is only text.

    A file on this disk goes before the picture of it that some file managers add, and
    a picture's bytes before its address, which may be the page that it links to.
    """
    paths: list[Path] = []
    urls: list[str] = []
    images: list[tuple[bytes, str]] = []
    for line in bytes(mime.data("text/uri-list").data()).splitlines():
        address = line.strip().strip(b"\0")
        scheme = address.split(b":", 1)[0].lower()
        if scheme == b"file":
            path = _local_path(address)
            if path is not None and path not in paths:
                paths.append(path)
        elif scheme in (b"http", b"https"):
            text = address.decode("utf-8", "replace")
            if text not in urls:
                urls.append(text)
        elif scheme == b"data":
            images += _inline_picture(address)
    if paths:
        return Offered(paths=tuple(paths))
    images = images or _pictures(mime)
    if images:
        return Offered(images=tuple(images))
    return Offered(urls=tuple(urls))


def offers(mime: QMimeData) -> bool:
    """Whether there is something to take, told by the names of the formats alone.

    A drag asks this with every movement, when decoding a picture would be too slow.
    """
    if mime.hasImage() or any(mime.hasFormat(name) for name in _IMAGE_FORMATS):
        return True
    return mime.hasFormat("text/uri-list")


def _local_path(address: bytes) -> Path | None:
    """The path of a file: address, its bytes kept even where they are no UTF-8.

    A `#`, `?` or single `%` that the sender forgot to escape is part of the name.
    """
    rest = address[len(b"file:") :]
    if rest.startswith(b"//"):
        host, slash, path = rest[2:].partition(b"/")
        if host.lower() not in (b"", b"localhost", os.fsencode(os.uname().nodename)):
            return None
        rest = slash + path
    name = unquote_to_bytes(rest)
    if not name.startswith(b"/") or b"\0" in name:
        return None
    return Path(os.fsdecode(name))


def _inline_picture(address: bytes) -> list[tuple[bytes, str]]:
    """A `data:` address of a picture, as browsers drag those drawn in a page."""
    head, comma, body = address.partition(b",")
    kind = head[len(b"data:") :].split(b";")[0].decode("ascii", "replace").lower()
    if not comma or kind not in _IMAGE_FORMATS:
        return []
    data = unquote_to_bytes(body)
    if head.lower().endswith(b";base64"):
        try:
            data = base64.b64decode(data)
        except binascii.Error:
            return []
    return [(data, f"picture.{_IMAGE_FORMATS[kind]}")]


def _pictures(mime: QMimeData) -> list[tuple[bytes, str]]:
    name = _stem(mime)
    for kind, suffix in _IMAGE_FORMATS.items():
        if mime.hasFormat(kind):
            data = bytes(mime.data(kind).data())
            if data:
                return [(data, f"{name}.{suffix}")]
    image = mime.imageData() if mime.hasImage() else None
    if not isinstance(image, QImage) or image.isNull():
        return []
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    # Uncompressed: packing a large screenshot would hold up the window.
    image.save(buffer, "PNG", 100)
    return [(bytes(buffer.data().data()), f"{name}.png")]


def _stem(mime: QMimeData) -> str:
    """A picture's name from the address beside it, if that names a file."""
    for url in mime.urls():
        stem = Path(urlsplit(url.toString()).path).stem
        if stem:
            return stem
    return "picture"


class DropOverlay(QWidget):
    """Covers the window while files hover over it, and says what may be dropped."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setAccessibleName(self.tr("Drop pictures, videos or PDFs"))
        self.hide()

    def cover(self) -> None:
        """Appear over everything that the window shows."""
        self.setGeometry(self.parentWidget().rect())
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        theme = self._theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = theme.color("window")
        veil.setAlphaF(0.88)
        painter.fillRect(self.rect(), veil)
        ground = theme.color("soft")
        ground.setAlphaF(0.6)
        pen = QPen(theme.color("accent"), 2, Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([5, 4])
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.setBrush(ground)
        frame = QRectF(self.rect()).adjusted(M, M, -M, -M)
        painter.drawRoundedRect(frame, COMPOSER_RADIUS, COMPOSER_RADIUS)
        self._write(painter)
        painter.end()

    def _write(self, painter: QPainter) -> None:
        theme, side = self._theme, self._theme.pixels(36)
        painter.setFont(theme.font(HEADINGS[1], bold=True))
        line = painter.fontMetrics().height()
        top = (self.height() - side - M - line) // 2
        ratio = self.devicePixelRatioF()
        start = self.width() // 2 - side * 3 // 2 - M
        for place, name in enumerate(("image", "video", "document")):
            picture = pixmap(name, theme.palette.accent, side, ratio)
            painter.drawPixmap(start + place * (side + M), top, picture)
        painter.setPen(QColor(theme.palette.text))
        words = QRectF(L, top + side + M, self.width() - 2 * L, line)
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter, self.accessibleName())


class DropTarget(QObject):
    """Makes a whole window take drops: shows the overlay, says what was dropped."""

    offered = Signal(object)  # Offered

    def __init__(self, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._overlay = DropOverlay(theme, window)
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    @property
    def overlay(self) -> DropOverlay:
        """What covers the window meanwhile."""
        return self._overlay

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if isinstance(event, QDropEvent) and kind == QEvent.Type.Drop:
            self._overlay.hide()
            return self._take(event)
        if isinstance(event, QDragEnterEvent | QDragMoveEvent):
            if not offers(event.mimeData()):
                return False
            if not self._overlay.isVisible():
                self._overlay.cover()
            # A copy, whatever the sender proposes: a move would delete the original.
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            return True
        if kind == QEvent.Type.DragLeave:
            self._overlay.hide()
        elif kind == QEvent.Type.Resize and self._overlay.isVisible():
            self._overlay.cover()
        return super().eventFilter(watched, event)

    def _take(self, event: QDropEvent) -> bool:
        found = sources_of(event.mimeData())
        if not found:
            return False
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.offered.emit(found)
        return True
