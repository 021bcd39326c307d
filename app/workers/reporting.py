"""A long job tells how far it is, a few times a second, as JSON. No Qt, no library."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlx_glm45v import Progress

    from ..processes.child import Channel

_SECONDS_BETWEEN = 0.2


class Reporter:
    """Takes the library's progress and passes on what a person can follow."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._last = float("-inf")
        self._stage = ""

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        ended = progress.done >= progress.total
        changed = progress.stage != self._stage
        if not (changed or ended) and now - self._last < _SECONDS_BETWEEN:
            return
        self._last, self._stage = now, progress.stage
        self._channel.send(
            {
                "event": "progress",
                "stage": progress.stage,
                "done": progress.done,
                "total": progress.total,
                "item": progress.item,
            }
        )
