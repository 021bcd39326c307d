"""Makes the rows of messages, step by step, and parts with them again.

Knows what a message needs for its widget, not where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from ...conversation import Turn
from .answer import AnswerRow
from .question import QuestionRow
from .shared import Shared
from .slots import Slot


class Builder(QObject):
    """Turns slots into rows on a ground."""

    grew = Signal()
    row_changed = Signal()

    def __init__(self, shared: Shared, ground: QWidget, parent: QObject) -> None:
        super().__init__(parent)
        self._shared, self._ground = shared, ground
        self.width = 0  # of the column

    def build(self, slot: Slot) -> Iterator[None]:
        """Make a message's row and show what is in it."""
        if slot.row is None:
            kind = QuestionRow if slot.turn.role == "user" else AnswerRow
            slot.row = kind(slot.turn, self._shared, self._ground)
            slot.row.grew.connect(self._grown(slot))
            # Out of sight until it is whole, but shown, so that each step pays for
            # its own part; at the width that it will have.
            slot.row.setGeometry(-20_000, 0, self.width, slot.height)
            slot.row.show()
            slot.row.place()
        row, turn = slot.row, None
        while turn is not row.turn:
            turn = row.turn
            for _ in row.content():
                yield
                if slot.row is not row:
                    return
                if row.turn is not turn:
                    break
        slot.built, slot.stale = True, True
        self.row_changed.emit()

    def finish(self, slot: Slot) -> None:
        """All of that at once."""
        if not slot.built:
            for _ in self.build(slot):
                pass

    def set_turn(self, slot: Slot, turn: Turn) -> None:
        """A message is another: its row follows in slices."""
        if turn == slot.turn:
            return
        slot.turn, slot.stale = turn, True
        if slot.row is not None:
            slot.row.set_turn(turn)
            if slot.built:
                self._shared.slices.add(self._changed(slot), first=True)

    def append(self, slot: Slot, channel: str, text: str) -> None:
        """More of an answer that streams."""
        turn = slot.turn
        if channel == "thinking":
            slot.turn = replace(turn, thinking=turn.thinking + text)
        else:
            slot.turn = replace(turn, text=turn.text + text)
        slot.stale = True
        if slot.row is None:
            return
        slot.row.follow(slot.turn)
        if isinstance(slot.row, AnswerRow) and slot.built:
            slot.row.append(channel, text)

    def drop(self, slot: Slot) -> None:
        """Part with a row; the message can be built again."""
        if slot.row is not None:
            slot.row.hide()
            self._shared.slices.add(slot.row.given_up())
            slot.row, slot.built = None, False

    def _changed(self, slot: Slot) -> Iterator[None]:
        row = slot.row
        if row is None:
            return
        turn = row.turn
        for _ in row.content():
            if slot.row is not row or row.turn is not turn:
                return
            yield
        slot.stale = True
        self.row_changed.emit()
        self.grew.emit()

    def _grown(self, slot: Slot) -> Callable[[], None]:
        def grown() -> None:
            slot.stale = True
            self.grew.emit()

        return grown
