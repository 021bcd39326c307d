"""Long pasted texts, each on one line above the field: it could not hold them.

Qt lays out a whole paragraph anew at every key: 400,000 characters in the field stop
the window for half a second, in a language with many signs at each of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..icons import dress, pixmap
from ..palette import XS, XXS
from ..theme import Theme, set_role
from ..words import grouped, plain_tip

# A longer text is not put into the field.
MOST_SHOWN = 10_000
_SEEN = 600
_GAP = "\n\n"


def parted(text: str) -> tuple[str, str]:
    """A message's long text and the words that stand in the field after it."""
    if len(text) <= MOST_SHOWN:
        return "", text
    pasted, gap, words = text.rpartition(_GAP)
    if gap and len(words) <= MOST_SHOWN:
        return pasted, words
    return text, ""


def joined(pasted: Sequence[str], words: str) -> str:
    """The message: what was pasted, then the words about it."""
    if not pasted:
        return words
    return _GAP.join([*pasted, words] if words.strip() else pasted)


class PastedRow(QFrame):
    """One text: how it begins and how long it is."""

    removed = Signal(object)  # this row

    def __init__(self, text: str, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.text = text
        self._theme = theme
        set_role(self, "card")
        self._sign = QLabel(self)
        self._words = QLabel(self)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._words.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        long = self.tr("{count} characters").format(count=grouped(len(text)))
        extent = QLabel(long, self)
        set_role(extent, "meta")
        self._remove = QToolButton(self)
        name = self.tr("Remove the pasted text")
        self._remove.setToolTip(name)
        self._remove.setAccessibleName(name)
        self._remove.clicked.connect(self._gone)
        self.setToolTip(plain_tip(text[:_SEEN] + ("…" if len(text) > _SEEN else "")))
        self.setAccessibleName(self.tr("Pasted text, {extent}").format(extent=long))
        row = QHBoxLayout(self)
        row.setContentsMargins(XS, XXS, XXS, XXS)
        row.setSpacing(XS)
        row.addWidget(self._sign)
        row.addWidget(self._words, 1)
        row.addWidget(extent)
        row.addWidget(self._remove)
        self.restyle()

    def restyle(self) -> None:
        """Take on the theme's colours and sizes."""
        colors, size = self._theme.palette, self._theme.pixels(16)
        ratio = self.devicePixelRatioF()
        self._sign.setPixmap(pixmap("document", colors.accent, size, ratio))
        dress(self._remove, "close", colors.muted, size)
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        line = " ".join(self.text[:_SEEN].split())
        mode, room = Qt.TextElideMode.ElideRight, self._words.width()
        shown = self._words.fontMetrics().elidedText(line, mode, room)
        if shown != self._words.text():
            self._words.setText(shown)

    def _gone(self) -> None:
        self.removed.emit(self)


class PastedTexts(QWidget):
    """The texts from first to last; hidden while there are none."""

    changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._rows: list[PastedRow] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(XXS)
        theme.changed.connect(self._restyle)
        self.hide()

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(row.text for row in self._rows)

    @property
    def rows(self) -> tuple[PastedRow, ...]:
        """Their widgets."""
        return tuple(self._rows)

    def set_text(self, text: str) -> None:
        """Exactly this one, or none where it is empty; says nothing."""
        while self._rows:
            self._drop(self._rows[-1])
        if text:
            self._append(text)
        self.setVisible(bool(self._rows))

    def add(self, text: str) -> None:
        """One more."""
        self._append(text)
        self.show()
        self.changed.emit()

    def _append(self, text: str) -> None:
        row = PastedRow(text, self._theme, self)
        row.removed.connect(self._remove)
        self._rows.append(row)
        self._column.addWidget(row)

    def _remove(self, row: PastedRow) -> None:
        self._drop(row)
        self.setVisible(bool(self._rows))
        self.changed.emit()

    def _drop(self, row: PastedRow) -> None:
        self._rows.remove(row)
        self._column.removeWidget(row)
        row.hide()
        row.deleteLater()

    def _restyle(self) -> None:
        for row in self._rows:
            row.restyle()
