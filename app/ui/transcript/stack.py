"""Widgets below one another whose heights follow from the width.

Qt's layouts settle over several turns of the event loop, during which a reader sees
text jump. A `Stack` computes heights at once and says `grew` when they change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from PySide6.QtCore import QSize, Signal, SignalInstance
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QWidget


@runtime_checkable
class Tall(Protocol):
    """What knows its height for a width."""

    def height_for(self, width: int) -> int:
        """Pixels that it needs at this width."""
        ...


@runtime_checkable
class Growing(Protocol):
    """What says when its height has become another."""

    grew: SignalInstance


def measure_of(widget: QWidget) -> Callable[[int], int]:
    """What gives the height that a widget needs at a width."""
    if isinstance(widget, Tall):
        return widget.height_for

    def height(width: int) -> int:
        # Asked each time: a label breaks lines only from its first text on.
        if widget.hasHeightForWidth():
            return widget.heightForWidth(width)
        return widget.sizeHint().height()

    return height


class Stack(QFrame):
    """Places its children; hidden ones take no space."""

    grew = Signal()

    def __init__(
        self,
        parent: QWidget,
        *,
        gap: int = 0,
        margins: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> None:
        super().__init__(parent)
        self._gap, self._margins = gap, margins
        self._children: list[QWidget] = []
        self._indents: dict[QWidget, int] = {}
        self._measures: dict[QWidget, Callable[[int], int]] = {}

    @property
    def stacked(self) -> tuple[QWidget, ...]:
        """The children from the top."""
        return tuple(self._children)

    def put(
        self, widget: QWidget, index: int | None = None, *, indent: int = 0
    ) -> None:
        """Take a child in, at the end or in front of another."""
        self._indents[widget] = indent
        self._measures[widget] = measure_of(widget)
        index = len(self._children) if index is None else index
        self._children.insert(index, widget)
        if isinstance(widget, Growing):
            widget.grew.connect(self.child_grew)
        widget.show()

    def take_out(self, widget: QWidget) -> None:
        """Part with a child for good."""
        self._children.remove(widget)
        del self._indents[widget], self._measures[widget]
        widget.hide()
        widget.deleteLater()

    def height_for(self, width: int) -> int:
        """Pixels from the first child's top to the last one's bottom, with margins."""
        left, top, right, bottom = self._margins
        inner = max(width - left - right, 1)
        indents = self._indents
        shown = self._shown()
        heights = [self._measures[each](inner - indents[each]) for each in shown]
        return top + sum(heights) + self._gap * max(len(heights) - 1, 0) + bottom

    def sizeHint(self) -> QSize:
        width = max(self.width(), 1)
        return QSize(width, self.height_for(width))

    def child_grew(self) -> None:
        """A child has another height."""
        self.settle()

    def settle(self) -> None:
        """Place the children anew and say that the height may be another."""
        self.place()
        self.grew.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.place()

    def _shown(self) -> list[QWidget]:
        return [child for child in self._children if not child.isHidden()]

    def place(self) -> None:
        """Put every child where it belongs at the width that there is."""
        left, top, right, _ = self._margins
        width = max(self.width() - left - right, 1)
        for child in self._shown():
            indent = self._indents[child]
            height = self._measures[child](width - indent)
            child.setGeometry(left + indent, top, width - indent, height)
            top += height + self._gap
