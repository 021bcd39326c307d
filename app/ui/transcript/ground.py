"""What the messages stand on. Tab goes through them from the top to the bottom.

Rows are made in the order in which a reader comes near, which would be Qt's order.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget


class Ground(QWidget):
    """Orders the focus by where things stand."""

    def focusNextPrevChild(self, forward: bool) -> bool:
        """The next stop below or above; at the ends, the window's next."""
        stops = self._stops()
        focused = QApplication.focusWidget()
        at = next((n for n, stop in enumerate(stops) if stop is focused), None)
        if at is None:
            return super().focusNextPrevChild(forward)
        number = at + (1 if forward else -1)
        if not 0 <= number < len(stops):
            return self._leave(stops, forward)
        self._enter(stops[number], forward)
        return True

    def _enter(self, stop: QWidget, forward: bool) -> None:
        reasons = Qt.FocusReason
        stop.setFocus(reasons.TabFocusReason if forward else reasons.BacktabFocusReason)

    def _leave(self, stops: list[QWidget], forward: bool) -> bool:
        """The first stop of the window's chain that is not on this ground."""
        widget: QWidget | None = stops[0]
        while widget is not None:
            chain = widget.nextInFocusChain if forward else widget.previousInFocusChain
            widget = chain()
            if widget is None or widget is stops[0]:
                break
            if not self.isAncestorOf(widget) and _is_stop(widget):
                self._enter(widget, forward)
                return True
        return False

    def _stops(self) -> list[QWidget]:
        inside = [each for each in self.findChildren(QWidget) if _is_stop(each)]
        zero = self.rect().topLeft()

        def place(widget: QWidget) -> tuple[int, int, int]:
            corner = widget.mapTo(self, zero)
            depth = 0 if widget.parentWidget() is self else 1
            return corner.y(), depth, corner.x()

        return sorted(inside, key=place)


def _is_stop(widget: QWidget) -> bool:
    tab = Qt.FocusPolicy.TabFocus.value & widget.focusPolicy().value
    return bool(tab) and widget.isVisible() and widget.isEnabled()
