"""Whether the view follows the end: only while the reader is there."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QScrollBar

# A reader this close to the end is at the end, in pixels.
NEAR = 24


class Following(QObject):
    """Keeps a scroll bar at its end until the reader scrolls away from it."""

    changed = Signal(bool)
    moved = Signal()  # the reader scrolled

    def __init__(self, bar: QScrollBar, parent: QObject) -> None:
        super().__init__(parent)
        self._bar = bar
        self._following = True
        self._own = False
        bar.valueChanged.connect(self._scrolled)
        bar.rangeChanged.connect(self._ranged)

    @property
    def following(self) -> bool:
        """Whether the end is followed."""
        return self._following

    def to_end(self) -> None:
        """Go to the end and stay there."""
        self._set(True)
        self.scroll(self._bar.maximum())

    def scroll(self, value: int) -> None:
        """Scroll without this being the reader's doing."""
        self._own = True
        self._bar.setValue(value)
        self._own = False

    def leave(self, value: int) -> None:
        """Go to a place, which is followed only if it is the end."""
        self.scroll(value)
        self._set(self._at_end())

    def _at_end(self) -> bool:
        return self._bar.value() >= self._bar.maximum() - NEAR

    def _scrolled(self) -> None:
        if not self._own:
            self._set(self._at_end())
            self.moved.emit()

    def _ranged(self) -> None:
        if self._following:
            self.scroll(self._bar.maximum())

    def _set(self, following: bool) -> None:
        if following != self._following:
            self._following = following
            self.changed.emit(following)
