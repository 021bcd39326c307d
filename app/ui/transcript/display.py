"""A displayed formula on a line of its own, or its source while there is no picture."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from ..palette import XS
from .markdown import Formula
from .shared import Shared


class DisplayedFormula(QScrollArea):
    """Centred; one that is wider than the column scrolls sideways."""

    grew = Signal()

    def __init__(self, block: Formula, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent)
        self._shared = shared
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._canvas = _Canvas(block, shared, self)
        self.setWidget(self._canvas)
        self._block = block
        shared.formulas.drawn.connect(self._drawn)
        self.restyle()

    @property
    def block(self) -> Formula:
        """What it shows."""
        return self._block

    def restyle(self) -> None:
        """Take on the theme's colours and sizes."""
        self._shared.formulas.known(self._block)
        self._canvas.resize(self._canvas.sizeHint())
        self._canvas.update()

    def height_for(self, width: int) -> int:
        """The formula's height, and a bar's where it is too wide."""
        size = self._canvas.sizeHint()
        bar = self.horizontalScrollBar().sizeHint().height()
        return size.height() + (bar if size.width() > width else 0)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def _drawn(self, formula: Formula) -> None:
        if formula == self._block:
            self.restyle()
            self.grew.emit()


class _Canvas(QWidget):
    def __init__(self, block: Formula, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent)
        self._block, self._shared = block, shared
        self.setAccessibleName(block.latex)

    def sizeHint(self) -> QSize:
        picture = self._shared.formulas.picture(self._block)
        if picture is not None:
            height = picture.ascent + picture.descent
            return QSize(round(picture.width) + 2, round(height) + 2 * XS)
        measure = QFontMetrics(self._shared.theme.code_font())
        size = measure.size(0, self._block.source)
        return QSize(size.width() + 2 * XS, size.height() + 2 * XS)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        picture = self._shared.formulas.picture(self._block)
        if picture is not None:
            height = picture.ascent + picture.descent
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF(1, XS, picture.width, height), picture.image)
        else:
            painter.setFont(self._shared.theme.code_font())
            painter.setPen(self._shared.theme.color("text"))
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter, self._block.source
            )
        painter.end()
