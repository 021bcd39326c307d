"""The whole window takes drops, and says so while something hovers over it.

Does not read what is dropped; see `drops`.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QWidget

from ..icons import pixmap
from ..palette import COMPOSER_RADIUS, HEADINGS, L, M
from ..theme import Theme
from .drops import offers, sources_of


class DropOverlay(QWidget):
    """Covers the window while files hover over it, and says what may be dropped."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._over = theme, parent
        self.setAccessibleName(self.tr("Drop pictures, videos or PDFs"))
        self.hide()

    def cover(self) -> None:
        """Appear over everything that the window shows."""
        self.setGeometry(self._over.rect())
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        theme = self._theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = theme.color("window")
        veil.setAlphaF(0.95)
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
