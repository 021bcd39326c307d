"""The rows of buttons over and under a picture: which one it is, and how large."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from ..icons import dress
from ..palette import XS, XXS
from ..theme import Theme, set_role
from ..words import decimal, grouped
from .canvas import Canvas
from .values import ViewerValue


class ZoomBar(QWidget):
    """Smaller, how large, larger, all of it, its own size: of one canvas."""

    def __init__(self, theme: Theme, canvas: Canvas, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._canvas = theme, canvas
        self.smaller = _tool(self.tr("Smaller"), "-", self)
        self.smaller.clicked.connect(self._smaller)
        self.larger = _tool(self.tr("Larger"), "+", self)
        self.larger.clicked.connect(self._larger)
        self.share = QLabel(self)
        set_role(self.share, "meta")
        self.fit = _words(self.tr("Fit"), self.tr("All of it"), "0", self)
        self.fit.clicked.connect(self._fit)
        self.own = _words(
            self.tr("100 %"),
            self.tr("A pixel of the screen for each of its own"),
            "1",
            self,
        )
        self.own.clicked.connect(self._own)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(XXS)
        for widget in (self.smaller, self.share, self.larger, self.fit, self.own):
            row.addWidget(widget)
        canvas.zoomed.connect(self._show)
        theme.changed.connect(self._dress)
        self._dress()
        self._show()

    def _smaller(self) -> None:
        self._canvas.set_zoom(self._canvas.zoom.smaller())

    def _larger(self) -> None:
        self._canvas.set_zoom(self._canvas.zoom.larger())

    def _fit(self) -> None:
        self._canvas.set_zoom(None)

    def _own(self) -> None:
        self._canvas.set_zoom(1.0)

    def _show(self) -> None:
        there, zoom = not self._canvas.is_empty, self._canvas.zoom
        words = self.tr("{share} %").format(share=_percent(zoom.value))
        self.share.setText(words if there else "")
        self.share.setAccessibleName(self.tr("Zoom: {share}").format(share=words))
        self.smaller.setEnabled(there and zoom.value > zoom.least * 1.001)
        self.larger.setEnabled(there and zoom.value < zoom.most * 0.999)

    def _dress(self) -> None:
        theme = self._theme
        _dress(self.smaller, "minus", theme)
        _dress(self.larger, "plus", theme)
        self.share.setMinimumWidth(theme.pixels(44))


class PlaceBar(QWidget):
    """Which frame or page is enlarged, its neighbours, and the way back."""

    back = Signal()
    stepped = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.all = QPushButton(self)
        self.all.clicked.connect(self.back)
        self.before = _tool(self.tr("The one before"), self.tr("Left"), self)
        self.before.clicked.connect(self._before)
        self.after = _tool(self.tr("The next one"), self.tr("Right"), self)
        self.after.clicked.connect(self._after)
        self.words = QLabel(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(XS)
        row.addWidget(self.all)
        row.addStretch(1)
        row.addWidget(self.before)
        row.addWidget(self.words)
        row.addWidget(self.after)
        theme.changed.connect(self._dress)
        self._dress()

    def set_place(self, value: ViewerValue, place: int) -> None:
        """Say which frame or page it is."""
        captions = value.captions
        words, back = captions[place], self.tr("All frames")
        if value.kind == "document":
            back = self.tr("All pages")
            words = self.tr("Page {place} of {count}").format(
                place=words, count=grouped(max(value.numbers))
            )
            if value.chosen is not None and place not in value.chosen:
                words = self.tr("{page}, left out").format(page=words)
        self.words.setText(words)
        self.all.setText(back)
        self.all.setToolTip(self.tr("{back} (Esc)").format(back=back))
        self.before.setEnabled(place > 0)
        self.after.setEnabled(place < len(captions) - 1)

    def _before(self) -> None:
        self.stepped.emit(-1)

    def _after(self) -> None:
        self.stepped.emit(1)

    def _dress(self) -> None:
        _dress(self.before, "left", self._theme)
        _dress(self.after, "right", self._theme)


def _tool(words: str, key: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setAccessibleName(words)
    button.setToolTip(f"{words} ({key})")
    return button


def _words(words: str, tip: str, key: str, parent: QWidget) -> QPushButton:
    button = QPushButton(words, parent)
    set_role(button, "quiet")
    button.setToolTip(f"{tip} ({key})")
    return button


def _dress(button: QToolButton, name: str, theme: Theme) -> None:
    dress(button, name, theme.palette.text, theme.pixels(18))


def _percent(zoom: float) -> str:
    share = 100 * zoom
    return decimal(share, 0 if share >= 1 else 1)
