"""How quick something is, and how long it will take. No Qt."""

from __future__ import annotations

from collections import deque

_WINDOW_SECONDS = 10.0


class Rate:
    """Bytes a second over the last ten seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, now: float, done: int) -> None:
        """Take note that `done` bytes are there at a moment in seconds."""
        if self._seen and done < self._seen[-1][1]:  # another stage began
            self._seen.clear()
        self._seen.append((now, done))
        while now - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.popleft()

    def per_second(self) -> float:
        """0 while nobody can tell."""
        if len(self._seen) < 2:
            return 0.0
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) / (end - start) if end - start >= 0.5 else 0.0

    def seconds_left(self, total: int) -> float | None:
        """Until `total` bytes are there; None while nobody can tell."""
        rate = self.per_second()
        if rate <= 0:
            return None
        return max(0.0, (total - self._seen[-1][1]) / rate)
