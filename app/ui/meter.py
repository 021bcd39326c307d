"""How full the context is: a ring that fills, and the share beside it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from .palette import META, XS, XXS
from .theme import Theme
from .words import grouped

WARN_ABOVE = 0.8
_RING, _STROKE = 14, 2.5
_TOP = 90 * 16  # twelve o'clock, in sixteenths of a degree
_CIRCLE = 360 * 16


class ContextMeter(QWidget):
    """Empty while nobody has counted; the numbers are in its tooltip."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._share: float | None = None
        theme.changed.connect(self._restyle)

    def set_tokens(self, used: int | None, whole: int) -> None:
        """Tokens that the prompt takes, None while they are counted, and all."""
        known = used is not None and whole > 0
        self._share = used / whole if used is not None and whole > 0 else None
        words = ""
        if known and used is not None:
            words = self.tr("{used} of {whole} tokens of context").format(
                used=grouped(used), whole=grouped(whole)
            )
        self.setToolTip(words)
        self.setAccessibleName(words)
        self.updateGeometry()
        self.update()

    @property
    def text(self) -> str:
        """The share as it is written, empty while it is unknown."""
        if self._share is None:
            return ""
        return f"{grouped(min(999, round(100 * self._share)))}%"

    def sizeHint(self) -> QSize:
        if self._share is None:
            return QSize(0, 0)
        metrics = QFontMetrics(self._theme.font(META))
        # Two figures have their place from the start: the title beside it stays.
        words = max(metrics.horizontalAdvance(each) for each in (self.text, "00%"))
        ring = self._theme.pixels(_RING)
        return QSize(ring + XS + words, max(ring, metrics.height()) + XXS)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        if self._share is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side, half = self._theme.pixels(_RING), _STROKE / 2
        ring = QRectF(0, (self.height() - side) / 2, side, side)
        ring = ring.adjusted(half, half, -half, -half)
        pen = QPen(self._theme.color("border"), _STROKE)
        painter.setPen(pen)
        painter.drawEllipse(ring)
        pen.setColor(self._theme.color(self._role()))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawArc(ring, _TOP, -round(_CIRCLE * min(1.0, self._share)))
        full = self._share > WARN_ABOVE
        painter.setPen(self._theme.color(self._role() if full else "muted"))
        painter.setFont(self._theme.font(META))
        words = self.rect().adjusted(side + XS, 0, 0, 0)
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, self.text)
        painter.end()

    def _role(self) -> str:
        share = self._share or 0.0
        if share > 1.0:
            return "danger"
        return "warn" if share > WARN_ABOVE else "accent"

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()
