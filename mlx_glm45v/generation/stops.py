"""Stop strings: words that end an answer and never appear in it.

Knows the answer's text as it streams. Does not know tokens or tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlx_glm45v.generation.events import TextDelta


class StopStrings:
    """Passes deltas on and holds back what may become a stop string.

    Only the answer is searched. Of several stop strings the one that is complete first
    counts, so that the result does not depend on how the text was cut into pieces.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._starts = frozenset(
            stop[:length] for stop in stops for length in range(1, len(stop))
        )
        self._held: list[TextDelta] = []
        self.met = False

    def feed(self, deltas: Iterable[TextDelta]) -> list[TextDelta]:
        """The deltas that are certain; nothing more once `met`."""
        passed: list[TextDelta] = []
        for delta in deltas:
            if self.met:
                break
            if delta.channel != "answer" or not self._stops:
                passed += [*self.finish(), delta]
                continue
            self._held.append(delta)
            passed += self._search()
        return passed

    def finish(self) -> list[TextDelta]:
        """What was held back and became no stop string."""
        passed, self._held = self._held, []
        return passed

    def _search(self) -> list[TextDelta]:
        text = "".join(delta.text for delta in self._held)
        found = [
            (start + len(stop), start)
            for stop in self._stops
            if (start := text.find(stop)) >= 0
        ]
        if found:
            _, start = min(found)
            passed = self._take(start)
            self.met = True
            self._held = []
            return passed
        longest = max(map(len, self._starts), default=0)
        for length in range(min(longest, len(text)), 0, -1):
            if text[-length:] in self._starts:
                return self._take(len(text) - length)
        return self._take(len(text))

    def _take(self, count: int) -> list[TextDelta]:
        """Removes the first `count` characters held."""
        taken: list[TextDelta] = []
        rest: list[TextDelta] = []
        for delta in self._held:
            part = delta.text[:count]
            count -= len(part)
            if part:
                taken.append(TextDelta(delta.channel, part, delta.boxed))
            if remaining := delta.text[len(part) :]:
                rest.append(TextDelta(delta.channel, remaining, delta.boxed))
        self._held = rest
        return taken
