"""One picture as large as there is room, or larger: wheel, keys and dragging.

Knows the file it shows, which is read in another thread. Does not know whether it is a
photo, a frame or a page.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from ..background import Background
from ..palette import CARD_RADIUS, XS
from ..theme import Theme
from .pyramid import Pyramid, read_pyramid
from .zoom import Zoom

# From so many screen pixels for one of the picture's, single pixels are to be seen.
_SQUARES = 4.0
_WHEEL = 1.0015  # a zoom for each eighth of a degree


class Canvas(QAbstractScrollArea):
    """Shows a picture file; `zoomed` tells of every other zoom."""

    zoomed = Signal()
    stepped = Signal(int)  # Left and Right where there is nothing to move

    def __init__(self, theme: Theme, background: Background, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._background = theme, background
        self._pyramid: Pyramid | None = None
        self._own = QSize()
        self._wanted: float | None = None
        self._loads = 0
        self._held: QPointF | None = None
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleDescription(
            self.tr("Plus and minus zoom, 0 fits, 1 is 100 %, arrows move")
        )
        theme.changed.connect(self.viewport().update)

    @property
    def is_empty(self) -> bool:
        """Whether the picture is not there yet."""
        return self._pyramid is None

    @property
    def zoom(self) -> Zoom:
        """How it is shown, in screen pixels."""
        ratio, room = self.devicePixelRatioF(), self.maximumViewportSize()
        return Zoom(
            max(1, self._own.width()),
            max(1, self._own.height()),
            round((room.width() - 2 * XS) * ratio),
            round((room.height() - 2 * XS) * ratio),
            self._wanted,
        )

    @property
    def fits(self) -> bool:
        """Whether it follows the room."""
        return self._wanted is None

    def clear(self, own: QSize | None = None) -> None:
        """Wait for another picture; its own pixels, where they are known, fit."""
        self._loads += 1
        self._pyramid, self._own, self._wanted = None, own or QSize(), None
        self._changed()

    def show_image(self, picture: QImage, own: QSize | None = None) -> None:
        """A small one, until the file of the large one is read."""
        self._take(Pyramid((picture,)), own)

    def show_file(self, path: Path, own: QSize | None = None) -> None:
        """Read a picture; it takes the place of a smaller one without a move."""
        self._loads += 1
        work, then = partial(read_pyramid, path), partial(self._read, self._loads, own)
        self._background.run(work, then)

    def set_zoom(self, zoom: float | None, at: QPointF | None = None) -> None:
        """Another zoom, None to fit; the point `at` stays where it is."""
        if self._pyramid is None:
            return
        room = self.viewport().rect()
        anchor = at if at is not None else QPointF(room.center())
        before = self._to_own(anchor)
        self._wanted = None if zoom is None else self.zoom.clamped(zoom)
        self._set_ranges()
        after, scale = self._target().topLeft(), self._scale()
        moved = after + before * scale - anchor
        for bar, over in (
            (self.horizontalScrollBar(), moved.x()),
            (self.verticalScrollBar(), moved.y()),
        ):
            bar.setValue(bar.value() + round(over))
        self._changed()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self.viewport())
        painter.fillRect(self.viewport().rect(), self._theme.color("raised"))
        if self._pyramid is None:
            self._paint_waiting(painter)
        else:
            self._paint_picture(painter, self._pyramid)
        if self.hasFocus():
            painter.setPen(QPen(self._theme.color("accent"), 2))
            painter.drawRect(self.viewport().rect().adjusted(1, 1, -1, -1))
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._set_ranges()
        self.zoomed.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """A mouse's wheel zooms; two fingers move, and zoom with Ctrl."""
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        turned = event.angleDelta().y()
        if event.phase() != Qt.ScrollPhase.NoScrollPhase and not control:
            super().wheelEvent(event)
        elif turned:
            self.set_zoom(self.zoom.value * _WHEEL**turned, event.position())
        event.accept()

    def viewportEvent(self, event: QEvent) -> bool:
        if (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self.set_zoom(self.zoom.value * (1 + event.value()), event.position())
            return True
        return super().viewportEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self.set_zoom(self.zoom.larger())
            case Qt.Key.Key_Minus:
                self.set_zoom(self.zoom.smaller())
            case Qt.Key.Key_0:
                self.set_zoom(None)
            case Qt.Key.Key_1:
                self.set_zoom(1.0)
            case Qt.Key.Key_Left | Qt.Key.Key_Right if not self._overflows():
                self.stepped.emit(-1 if event.key() == Qt.Key.Key_Left else 1)
            case _:
                super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._held = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is None:
            return
        moved, self._held = event.position() - self._held, event.position()
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        across.setValue(across.value() - round(moved.x()))
        down.setValue(down.value() - round(moved.y()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: ARG002
        self._held = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.set_zoom(1.0 if self.fits else None, event.position())

    def scrollContentsBy(self, dx: int, dy: int) -> None:  # noqa: ARG002
        self.viewport().update()

    def _read(self, load: int, own: QSize | None, pyramid: object) -> None:
        if load == self._loads and isinstance(pyramid, Pyramid):
            self._take(pyramid, own)

    def _take(self, pyramid: Pyramid, own: QSize | None) -> None:
        before = self._own.width() if self._pyramid is not None else 0
        self._pyramid, self._own = pyramid, own or pyramid.size
        if self._wanted is not None and before:
            self._wanted *= before / self._own.width()
        self._changed()

    def _changed(self) -> None:
        self._set_ranges()
        over = self._overflows()
        shape = Qt.CursorShape.OpenHandCursor if over else Qt.CursorShape.ArrowCursor
        self.viewport().setCursor(shape)
        self.viewport().update()
        self.zoomed.emit()

    def _overflows(self) -> bool:
        bars = (self.horizontalScrollBar(), self.verticalScrollBar())
        return any(bar.maximum() for bar in bars)

    def _set_ranges(self) -> None:
        size = QSize()
        if self._pyramid is not None and not self.fits:
            size = (
                QPointF(self._own.width(), self._own.height()) * self._scale()
            ).toPoint()
            size = QSize(size.x(), size.y())
        room = self.viewport().size()
        for bar, length, page in (
            (self.horizontalScrollBar(), size.width(), room.width()),
            (self.verticalScrollBar(), size.height(), room.height()),
        ):
            bar.setRange(0, max(0, length - page))
            bar.setPageStep(page)
            bar.setSingleStep(40)

    def _scale(self) -> float:
        """Points on the window for each of the picture's own pixels."""
        return self.zoom.value / self.devicePixelRatioF()

    def _target(self) -> QRectF:
        """Where all of the picture stands, the middle where there is more room."""
        scale, room = self._scale(), self.viewport().rect()
        width, height = self._own.width() * scale, self._own.height() * scale
        left = max(0.0, (room.width() - width) / 2) - self.horizontalScrollBar().value()
        top = max(0.0, (room.height() - height) / 2) - self.verticalScrollBar().value()
        return QRectF(left, top, width, height)

    def _to_own(self, point: QPointF) -> QPointF:
        return (point - self._target().topLeft()) / self._scale()

    def _paint_picture(self, painter: QPainter, pyramid: Pyramid) -> None:
        target = self._target()
        seen = target.intersected(QRectF(self.viewport().rect()))
        if seen.isEmpty():
            return
        zoom = self.zoom.value
        level = pyramid.level_for(self._own.width() * zoom)
        across = level.width() / target.width()
        down = level.height() / target.height()
        source = QRectF(
            (seen.left() - target.left()) * across,
            (seen.top() - target.top()) * down,
            seen.width() * across,
            seen.height() * down,
        )
        smooth = zoom < _SQUARES
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(seen, level, source)
        painter.setPen(QPen(self._theme.color("border"), 1))
        painter.drawRect(target.toRect().adjusted(-1, -1, 0, 0))

    def _paint_waiting(self, painter: QPainter) -> None:
        """The shape of what comes, where it is known."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._own.isEmpty():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.color("soft"))
            painter.drawRoundedRect(self._target(), CARD_RADIUS, CARD_RADIUS)
        painter.setPen(self._theme.color("muted"))
        words = self.tr("Reading…")
        painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, words)
