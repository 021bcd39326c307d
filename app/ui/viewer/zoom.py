"""How large a picture is shown and which part of it: pure arithmetic.

A zoom is screen pixels for each of the picture's own, 1.0 being 100 %; None fits the
picture to the room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

STEPS = (
    0.05,
    0.1,
    0.15,
    0.25,
    0.33,
    0.5,
    0.67,
    0.75,
    1.0,
    1.5,
    2.0,
    3.0,
    4.0,
    6.0,
    8.0,
)
_MOST = STEPS[-1]
# A small picture is enlarged to fit, but not to single squares.
_MOST_FIT = 4.0


@dataclass(frozen=True)
class Zoom:
    """A picture of `width` x `height` in a room of so many screen pixels."""

    width: int
    height: int
    room_width: int
    room_height: int
    wanted: float | None = None

    @property
    def fit(self) -> float:
        """The zoom at which all of the picture is seen."""
        across = self.room_width / max(1, self.width)
        down = self.room_height / max(1, self.height)
        return max(min(across, down, _MOST_FIT), 1e-4)

    @property
    def value(self) -> float:
        """The zoom in force."""
        return self.fit if self.wanted is None else self.wanted

    @property
    def least(self) -> float:
        """No smaller than this: a picture that fits is small enough."""
        return min(self.fit, 1.0)

    @property
    def most(self) -> float:
        """No larger than this."""
        return max(_MOST, self.fit)

    def clamped(self, zoom: float) -> float:
        """The nearest zoom that is possible."""
        return min(max(zoom, self.least), self.most)

    def larger(self) -> float:
        """The next step up."""
        return self._next(lambda step: step > self.value * 1.01, STEPS, self.most)

    def smaller(self) -> float:
        """The next step down."""
        down = STEPS[::-1]
        return self._next(lambda step: step < self.value * 0.99, down, self.least)

    def _next(
        self, holds: Callable[[float], bool], steps: tuple[float, ...], end: float
    ) -> float:
        return self.clamped(next(filter(holds, steps), end))
