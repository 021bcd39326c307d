"""The learning rate of each step."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Warm up, stay, and fall along a cosine over the last part of the run.

    Until the fall begins nothing depends on `steps`, so a stopped run may be resumed
    with another number of them.
    """

    steps: int
    peak: float = 2e-3
    warmup: int = 100
    fall: float = 0.4

    def rate(self, step: int) -> float:
        """The learning rate of a step counted from 0."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        start = self.steps * (1 - self.fall)
        if step < start:
            return self.peak
        part = min(1.0, (step - start) / max(1.0, self.steps - start))
        return self.peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * part)))
