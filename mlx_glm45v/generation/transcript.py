"""Token ids to channels of text.

Joins the injected detokeniser, the splitter and the stop strings. Does not know where
tokens come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mlx_glm45v.generation.events import TextDelta
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.splitter import Splitter
from mlx_glm45v.generation.stops import StopStrings


class Detokenizer(Protocol):
    """Turns ids into text one by one; special tokens appear as their text."""

    def add(self, token_id: int) -> str:
        """The text that `token_id` completes, perhaps none."""
        ...

    def finish(self) -> str:
        """What is still held back."""
        ...


class Transcript:
    """What one answer has said so far.

    `thinking_tokens` counts the tokens inside thinking, its tags not included.
    """

    def __init__(
        self,
        detokenizer: Detokenizer,
        markers: Markers,
        stops: Sequence[str],
        *,
        open_thinking: bool,
    ) -> None:
        self._detokenizer = detokenizer
        self._splitter = Splitter(markers, open_thinking=open_thinking)
        self._stops = StopStrings(stops)
        self.thinking_tokens = 0

    @property
    def thinking(self) -> bool:
        """Whether the next token would be a thought."""
        return self._splitter.channel == "thinking"

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._stops.met

    def add(self, token: int, *, counted: bool = True) -> list[TextDelta]:
        """The text that `token` makes certain."""
        was_thinking = self.thinking
        deltas = self._splitter.feed(self._detokenizer.add(token))
        if counted and was_thinking and self.thinking:
            self.thinking_tokens += 1
        return self._stops.feed(deltas)

    def finish(self) -> list[TextDelta]:
        """All that was held back; nothing after a stop string."""
        if self.stopped:
            return []
        deltas = self._splitter.feed(self._detokenizer.finish())
        passed = self._stops.feed([*deltas, *self._splitter.finish()])
        return passed if self.stopped else [*passed, *self._stops.finish()]
