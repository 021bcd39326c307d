"""Tells when an answer only repeats itself.

Knows token ids and periods. Does not know what is done about it.
"""

from __future__ import annotations

import numpy as np

_LONGEST_PERIOD = 512


class LoopGuard:
    """Watches for a block of tokens that is said again and again.

    `looping` once the last tokens are one block of up to 512 tokens at least four times
    in a row, and at least `run` tokens together: shorter runs (a ruled line, a row of
    zeros) are ordinary text. 0 never sees a loop.
    """

    def __init__(self, run: int) -> None:
        self._run = run
        self._last = np.full(_LONGEST_PERIOD, -1, np.int64)  # the newest first
        periods = np.arange(1, _LONGEST_PERIOD + 1)
        # So many tokens in a row must equal the ones a period before.
        self._wanted = np.maximum(3 * periods, run - periods)
        self._equal = np.zeros(_LONGEST_PERIOD, np.int64)
        self.looping = False

    def add(self, token: int) -> None:
        """One more token."""
        if not self._run:
            return
        self._equal = np.where(self._last == token, self._equal + 1, 0)
        self._last[1:] = self._last[:-1]
        self._last[0] = token
        self.looping = bool((self._equal >= self._wanted).any())

    def restart(self) -> None:
        """What comes now is something else."""
        self._equal[:] = 0
        self._last[:] = -1
        self.looping = False
