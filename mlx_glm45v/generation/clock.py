"""Seconds of a request's phases, by the wall."""

from __future__ import annotations

import time
from typing import Literal

Phase = Literal["vision", "prefill", "decode"]


class Clock:
    """Measures phases one after the other; "decode" begins with the first token.

    A phase includes the time that the reader of the events takes.
    """

    def __init__(self) -> None:
        self._started = self._entered = time.perf_counter()
        self._phase: Phase = "vision"
        self._seconds: dict[Phase, float] = {"vision": 0, "prefill": 0, "decode": 0}
        self.time_to_first_token = 0.0

    def enter(self, phase: Phase) -> None:
        """Ends the phase at hand and begins `phase`; within it nothing changes."""
        if phase == self._phase:
            return
        now = time.perf_counter()
        self._seconds[self._phase] += now - self._entered
        self._entered = now
        self._phase = phase
        if phase == "decode":
            self.time_to_first_token = now - self._started

    def stop(self) -> None:
        """Ends the last phase."""
        self._seconds[self._phase] += time.perf_counter() - self._entered

    def seconds(self, phase: Phase) -> float:
        """Seconds of `phase` up to its end."""
        return self._seconds[phase]
