"""One line below the last message: what the model does before it writes."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from ..palette import META, XS
from ..theme import Theme

_DOT = 8


class ProgressLine(QWidget):
    """A dot in the accent and muted words."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._words = ""
        self.hide()

    def set_words(self, words: str) -> bool:
        """Show words, hide for none; whether it appeared or went."""
        turned = bool(words) != bool(self._words)
        self._words = words
        self.setAccessibleName(words)
        self.setVisible(bool(words))
        self.update()
        return turned

    def restyle(self) -> None:
        """Take on the theme's colours and sizes."""
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, self._theme.pixels(META) * 2 + XS)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.color("accent"))
        middle = self.height() // 2
        painter.drawEllipse(XS, middle - _DOT // 2, _DOT, _DOT)
        font = self._theme.font(META)
        painter.setFont(font)
        painter.setPen(self._theme.color("muted"))
        room = self.rect().adjusted(XS + _DOT + XS, 0, -XS, 0)
        mode = Qt.TextElideMode.ElideRight
        words = QFontMetrics(font).elidedText(self._words, mode, room.width())
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(room, left, words)
        painter.end()
