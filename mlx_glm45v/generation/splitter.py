"""Cuts generated text at the model's tags into channels.

Knows tags and newlines around them. Does not know tokens: pieces may end anywhere, in
the middle of a tag too, and the merged result is the same.
"""

from __future__ import annotations

import re

from mlx_glm45v.generation.events import Channel, TextDelta
from mlx_glm45v.generation.markers import Markers


class Splitter:
    """Text pieces in, `TextDelta`s out.

    A tag is never emitted, its content always is. Newlines next to a thinking, tool or
    answer tag belong to the template's layout and are dropped; those next to a box
    marker are text. An unclosed tag lasts to the end; a closing one without an opening
    one changes nothing.
    """

    def __init__(self, markers: Markers, *, open_thinking: bool = False) -> None:
        self._markers = markers
        self._tags = re.compile("|".join(map(re.escape, markers.tags)) or r"(?!)")
        self._starts = frozenset(
            tag[:length] for tag in markers.tags for length in range(1, len(tag))
        )
        self._longest_start = max(map(len, self._starts), default=0)
        self._channel: Channel = "thinking" if open_thinking else "answer"
        self._in_tool = False
        self._boxed = False
        self._after_tag = False
        self._buffer = ""
        self._newlines = ""
        self._deltas: list[TextDelta] = []

    @property
    def channel(self) -> Channel:
        """Where the next text goes, as far as the pieces so far tell."""
        return "tool" if self._in_tool else self._channel

    def feed(self, text: str) -> list[TextDelta]:
        """What `text` makes certain; the start of a possible tag is held back."""
        self._buffer += text
        while self._cut():
            pass
        return self._taken()

    def finish(self) -> list[TextDelta]:
        """What was held back. A tool call cut short arrives as far as it came."""
        if self._in_tool:
            self._emit_tool(self._buffer)
        else:
            self._text(self._buffer)
            self._emit(self._newlines)
        self._buffer = self._newlines = ""
        return self._taken()

    def _cut(self) -> bool:
        """Consumes up to and including the next tag; False when there is none."""
        if self._in_tool:
            return self._cut_tool()
        found = self._tags.search(self._buffer)
        if found is None:
            held = self._held()
            self._text(self._buffer[: len(self._buffer) - held])
            self._buffer = self._buffer[len(self._buffer) - held :]
            return False
        self._text(self._buffer[: found.start()])
        self._buffer = self._buffer[found.end() :]
        self._tag(found.group())
        return True

    def _cut_tool(self) -> bool:
        assert self._markers.tool is not None
        inside, closing, rest = self._buffer.partition(self._markers.tool[1])
        if not closing:
            return False
        self._emit_tool(inside)
        self._in_tool = False
        self._after_tag = True
        self._buffer = rest
        return True

    def _held(self) -> int:
        """Length of the longest end of the buffer that may begin a tag."""
        for length in range(min(self._longest_start, len(self._buffer)), 0, -1):
            if self._buffer[-length:] in self._starts:
                return length
        return 0

    def _tag(self, tag: str) -> None:
        markers = self._markers
        if markers.box is not None and tag in markers.box:
            self._emit(self._newlines)
            self._newlines = ""
            self._boxed = tag == markers.box[0]
            return
        if tag in markers.hidden:
            return
        self._newlines = ""
        self._after_tag = True
        self._boxed = False
        if markers.thinking is not None and tag in markers.thinking:
            self._channel = "thinking" if tag == markers.thinking[0] else "answer"
        elif markers.tool is not None and tag == markers.tool[0]:
            self._in_tool = True
        elif markers.answer is not None and tag == markers.answer[0]:
            self._channel = "answer"

    def _text(self, text: str) -> None:
        if self._after_tag:
            text = text.lstrip("\n")
        if not text:
            return
        self._after_tag = False
        text = self._newlines + text
        body = text.rstrip("\n")
        self._newlines = text[len(body) :]
        self._emit(body)

    def _emit(self, text: str) -> None:
        if text:
            self._deltas.append(TextDelta(self._channel, text, self._boxed))

    def _emit_tool(self, inside: str) -> None:
        if inside.strip():
            self._deltas.append(TextDelta("tool", inside.strip("\n")))

    def _taken(self) -> list[TextDelta]:
        taken, self._deltas = merge(self._deltas), []
        return taken


def merge(deltas: list[TextDelta]) -> list[TextDelta]:
    """The same text in as few deltas as possible; tool calls stay apart."""
    merged: list[TextDelta] = []
    for delta in deltas:
        last = merged[-1] if merged else None
        if (
            last is not None
            and last.channel == delta.channel != "tool"
            and last.boxed == delta.boxed
        ):
            merged[-1] = TextDelta(last.channel, last.text + delta.text, last.boxed)
        else:
            merged.append(delta)
    return merged
