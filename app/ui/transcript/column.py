"""The scrolled column: builds the messages near the reader, keeps what is read still.

Knows turns and rows, not who writes them. Whatever changes its height above the reader
moves the scroll bar with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from ...conversation import Turn
from ..palette import COLUMN_WIDTH, XS, L
from .building import Builder
from .following import Following
from .ground import Ground
from .row import MessageRow
from .shared import Shared
from .slots import GAP, Slot, Slots

# What is built at once, in seconds; the rest comes in slices.
_AT_ONCE = 0.02
# Rows farther away than this many screens are given up.
_AHEAD, _KEPT = 1.0, 6.0


class Column(QScrollArea):
    """Messages below one another, the last ones shown first."""

    row_changed = Signal()

    def __init__(self, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent)
        self._shared = shared
        self.slots = Slots()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.ground = Ground(self)
        self.setWidget(self.ground)
        self._builder = Builder(shared, self.ground, self)
        self._builder.grew.connect(self.arrange_soon)
        self._builder.row_changed.connect(self.row_changed)
        self.foot: QWidget | None = None
        self.following = Following(self.verticalScrollBar(), self)
        self.following.moved.connect(self._look)
        self._arranging = QTimer(self)
        self._arranging.setSingleShot(True)
        self._arranging.setInterval(0)
        self._arranging.timeout.connect(self.arrange)
        self._looking = False
        self.verticalScrollBar().setSingleStep(40)

    @property
    def rows(self) -> tuple[MessageRow, ...]:
        """The messages that have widgets, from the top."""
        return tuple(slot.row for slot in self.slots.all if slot.row is not None)

    def set_foot(self, foot: QWidget) -> None:
        """What stands below the last message."""
        self.foot = foot
        foot.setParent(self.ground)

    def show_turns(self, turns: tuple[Turn, ...]) -> None:
        """A whole path; messages that stay keep their widgets and their place."""
        kept = {slot.turn.id: slot for slot in self.slots.all}
        slots: list[Slot] = []
        stays = False
        for turn in turns:
            slot = kept.pop(turn.id, None)
            if slot is None:
                slot = Slot(turn)
            else:
                stays = True
                self._builder.set_turn(slot, turn)
            slots.append(slot)
        anchor = self._anchor() if stays else None
        self.slots.set_all(slots)
        for gone in kept.values():
            self._builder.drop(gone)
        if not stays:
            self.following.to_end()
        self._arrange(anchor)
        self._build_now()

    def add_turn(self, turn: Turn) -> None:
        """One more message at the end."""
        slot = Slot(turn)
        self.slots.add(slot)
        if self.following.following:
            self._builder.finish(slot)
        self.arrange()

    def update_turn(self, turn: Turn) -> None:
        """A message is another."""
        slot = self.slots.by_id(turn.id)
        if slot is not None:
            self._builder.set_turn(slot, turn)
            self.arrange_soon()

    def append(self, turn_id: int, channel: str, text: str) -> None:
        """More of an answer that streams. `arrange` is to follow."""
        slot = self.slots.by_id(turn_id)
        if slot is not None:
            self._builder.append(slot, channel, text)

    def row(self, turn_id: int) -> MessageRow | None:
        """A message's widget, where it has one."""
        slot = self.slots.by_id(turn_id)
        return None if slot is None else slot.row

    def go_to(self, slot: Slot, *, only_if_hidden: bool = False) -> MessageRow:
        """Build a message and put it at the top of the view."""
        self._builder.finish(slot)
        self._arrange(self._anchor())
        row, top = slot.row, self.verticalScrollBar().value()
        bottom = top + self.viewport().height()
        if only_if_hidden and row and slot.top >= top and slot.bottom <= bottom:
            return row
        self.following.leave(slot.top - GAP // 2)
        self._build_now()
        self._arrange((slot, -GAP // 2))
        assert slot.row is not None
        return slot.row

    def arrange_soon(self) -> None:
        """Place everything when the event loop comes round."""
        self._arranging.start()

    def arrange(self) -> None:
        """Place everything; what is read stays where it is."""
        self._arrange(self._anchor())
        self._look()

    def restyle(self) -> Iterator[None]:
        """Take on the theme: what is seen first, guesses of the rest."""
        for slot in self.slots.all:
            if slot.row is not None and not slot.built:
                # Half of it has the old look.
                self._builder.drop(slot)
        for slot in self._by_distance(len(self.slots.all)):
            row = slot.row
            if row is None:
                continue
            for _ in row.restyle():
                yield
                if slot.row is not row:
                    break
            slot.stale = True
            self.arrange_soon()
        for slot in self.slots.all:
            slot.stale = True
        self.arrange_soon()
        yield

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and Down go from message to message, Home and End to the ends."""
        last = len(self.slots.all) - 1
        numbers = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: last}
        at = next((n for n, s in enumerate(self.slots.all) if self._focused(s)), None)
        if at is not None:
            numbers |= {Qt.Key.Key_Up: at - 1, Qt.Key.Key_Down: at + 1}
        number = numbers.get(Qt.Key(event.key()), -1)
        if 0 <= number <= last:
            row = self.go_to(self.slots.all[number], only_if_hidden=True)
            row.setFocus(Qt.FocusReason.OtherFocusReason)
        elif event.key() not in numbers:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        anchor = self._anchor()
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            for slot in self.slots.all:
                slot.stale = True
        self._arrange(anchor)
        self._look()

    def _anchor(self) -> tuple[Slot, int] | None:
        value = self.verticalScrollBar().value()
        slot = self.slots.at(value)
        return None if slot is None else (slot, value - slot.top)

    def _arrange(self, anchor: tuple[Slot, int] | None) -> None:
        self._arranging.stop()
        # Of the whole width: a scroll bar that comes or goes moves nothing. A row's
        # frame stands around the column, its words stand in it.
        column = max(min(COLUMN_WIDTH, self.width() - 2 * L), 120)
        width = self._builder.width = column + 2 * XS
        left = (self.width() - width) // 2
        bottom = self.slots.arrange(width, self._shared.theme.scale)
        for slot in self.slots.all:
            if slot.row is not None and slot.built:
                slot.row.setGeometry(left, slot.top, width, slot.height)
        if self.foot is not None and not self.foot.isHidden():
            height = self.foot.sizeHint().height()
            self.foot.setGeometry(left, bottom - GAP // 2, width, height)
            bottom += height
        self.ground.resize(self.viewport().width(), max(bottom, 1))
        if self.following.following:
            self.following.scroll(self.verticalScrollBar().maximum())
        elif anchor is not None:
            slot, offset = anchor
            self.following.scroll(slot.top + offset)

    def _build_now(self) -> None:
        """What the reader sees, as far as it goes at once."""
        end = time.perf_counter() + _AT_ONCE
        for slot in reversed(self._near(0.0)):
            if time.perf_counter() > end:
                break
            if not slot.built:
                for _ in self._builder.build(slot):
                    if time.perf_counter() > end:
                        break
        self.arrange()

    def _look(self) -> None:
        if not self._looking:
            self._looking = True
            self._shared.slices.add(self._fill())

    def _fill(self) -> Iterator[None]:
        """Build what is near, until all of it is there, and part with what is far."""
        while True:
            wanted = [s for s in self._by_distance(_AHEAD) if not s.built]
            if not wanted:
                break
            for _ in self._builder.build(wanted[0]):
                yield
            self._arrange(self._anchor())
            yield
        self._looking = False
        near = {id(slot) for slot in self._near(_KEPT)}
        for slot in self.slots.all:
            far = slot.row is not None and id(slot) not in near
            if far and slot.turn.state != "streaming" and not self._focused(slot):
                self._builder.drop(slot)

    def _near(self, screens: float) -> list[Slot]:
        top, page = self.verticalScrollBar().value(), self.viewport().height()
        ahead = round(page * screens)
        return self.slots.between(top - ahead, top + page + ahead)

    def _by_distance(self, screens: float) -> list[Slot]:
        middle = self.verticalScrollBar().value() + self.viewport().height() // 2

        def distance(slot: Slot) -> int:
            return max(slot.top - middle, middle - slot.bottom, 0)

        return sorted(self._near(screens), key=distance)

    def _focused(self, slot: Slot) -> bool:
        focused = self.window().focusWidget()
        row = slot.row
        if row is None or focused is None:
            return False
        return row is focused or row.isAncestorOf(focused)
