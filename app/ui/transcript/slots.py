"""Where messages stand: heights, real or guessed, and tops. Knows no layout of Qt's.

A message has a widget only while it is near the reader; the others are numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...conversation import Turn
from ..palette import BODY, XS, L
from .row import MessageRow

# The line of actions above it keeps messages apart too.
GAP = XS
TOP = L


@dataclass
class Slot:
    """A message's place in the column."""

    turn: Turn
    row: MessageRow | None = None
    top: int = 0
    height: int = 0
    stale: bool = True
    built: bool = False

    @property
    def bottom(self) -> int:
        """The first pixel below it."""
        return self.top + self.height


class Slots:
    """All messages of a path, from the top."""

    def __init__(self) -> None:
        self.all: list[Slot] = []
        self._numbers: dict[int, int] = {}

    def set_all(self, slots: list[Slot]) -> None:
        """Take on these messages."""
        self.all = slots
        self._numbers = {slot.turn.id: number for number, slot in enumerate(slots)}

    def add(self, slot: Slot) -> None:
        """One more at the end."""
        self._numbers[slot.turn.id] = len(self.all)
        self.all.append(slot)

    def by_id(self, turn_id: int) -> Slot | None:
        """The slot of a turn."""
        number = self._numbers.get(turn_id)
        return None if number is None else self.all[number]

    def number(self, slot: Slot) -> int:
        """Its place in the order."""
        return self._numbers[slot.turn.id]

    def arrange(self, width: int, scale: float) -> int:
        """Compute every top; the height of all."""
        top = TOP
        for slot in self.all:
            if slot.row is not None and slot.built:
                if slot.stale:
                    slot.height = slot.row.height_for(width)
                    slot.stale = False
            elif slot.stale:
                slot.height = guessed_height(slot.turn, width, scale)
                slot.stale = False
            slot.top = top
            top += slot.height + GAP
        return top

    def between(self, top: int, bottom: int) -> list[Slot]:
        """Those that stand at least partly between two heights."""
        return [s for s in self.all if s.bottom > top and s.top < bottom]

    def at(self, height: int) -> Slot | None:
        """The first that is not wholly above a height."""
        return next((slot for slot in self.all if slot.bottom > height), None)


def guessed_height(turn: Turn, width: int, scale: float) -> int:
    """A message's height before it is laid out."""
    line = BODY * 1.6 * scale
    across = max(width / (BODY * 0.52 * scale), 10)
    # Roughly: there are thousands to guess.
    lines = 1 + turn.text.count("\n") + len(turn.text) / across
    media = 130 if turn.attachments else 0
    pictures = 320 * len({(box.digest, box.page) for box in turn.boxes})
    return round(lines * line + media + pictures + 60)
