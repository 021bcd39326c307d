"""The field of the search: a glass at its left, a button that empties it.

Both grow with the text, which a line edit's own actions do not.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLineEdit, QToolButton, QWidget

from ..icons import dress, pixmap
from ..palette import XS, XXS
from ..theme import Theme

_ICON = 16


class SearchField(QLineEdit):
    """A line edit in the theme's colours."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setPlaceholderText(self.tr("Search"))
        self.setAccessibleName(self.tr("Search conversations"))
        self._empty = QToolButton(self)
        # The role's own room would leave none for the sign.
        self._empty.setStyleSheet("QToolButton { border: none; padding: 0; }")
        self._empty.setCursor(Qt.CursorShape.ArrowCursor)
        self._empty.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        name = self.tr("Clear the search")
        self._empty.setToolTip(name)
        self._empty.setAccessibleName(name)
        self._empty.clicked.connect(self.clear)
        self._empty.hide()
        self.textChanged.connect(self._offer)
        theme.changed.connect(self._dress)
        self._dress()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        size, ratio = self._theme.pixels(_ICON), self.devicePixelRatioF()
        glass = pixmap("search", self._theme.palette.muted, size, ratio)
        painter.drawPixmap(XS + 1, (self.height() - size) // 2, glass)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _offer(self, text: str) -> None:
        self._empty.setVisible(bool(text))

    def _dress(self) -> None:
        size = self._theme.pixels(_ICON)
        dress(self._empty, "close", self._theme.palette.muted, size)
        # The style's own padding comes on top.
        self.setTextMargins(size + XXS, 0, size + XXS, 0)
        self._place()

    def _place(self) -> None:
        side = self._theme.pixels(_ICON) + XXS
        top = (self.height() - side) // 2
        self._empty.setGeometry(self.width() - side - XXS, top, side, side)
