"""What a turn of the model said, put together from its events.

Knows events, boxes and tool calls. Does not know how events are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlx_glm45v.generation.events import (
    Event,
    Finished,
    FinishReason,
    TextDelta,
    Usage,
)
from mlx_glm45v.generation.grounding import Box, find_boxes
from mlx_glm45v.messages import Message, ToolCall
from mlx_glm45v.processing.prompt import MediaItem
from mlx_glm45v.tool_calls import parse_tool_call


@dataclass(frozen=True)
class Reply:
    """One whole answer.

    `boxes` are the grounding boxes that the answer names, in pixels of the picture that
    `Box.item` counts in `media`, the pictures and videos of the prompt in order; each
    says in which part of which message it stands.
    """

    answer: str
    thinking: str | None
    boxes: tuple[Box, ...]
    tool_calls: tuple[ToolCall, ...]
    reason: FinishReason
    usage: Usage
    media: tuple[MediaItem, ...] = ()

    def message(self) -> Message:
        """The reply as a turn of the conversation, its words without box markers."""
        return Message(
            "assistant",
            self.answer,
            thinking=self.thinking,
            tool_calls=self.tool_calls,
        )


class ReplyBuilder:
    """What one turn's events have said so far, `begun` being what stood there before.

    `anything` tells whether an event brought a word or a tool call.
    """

    def __init__(self, begun: Message | None = None) -> None:
        thinking, answer = (begun.thinking, begun.text) if begun else (None, "")
        self._thinking: list[str] = [thinking] if thinking else []
        self._answer: list[TextDelta] = [TextDelta("answer", answer)] if answer else []
        self._made_calls = begun.tool_calls if begun else ()
        self._calls: list[str] = []
        self._finished: Finished | None = None
        self.anything = False

    def add(self, event: Event) -> None:
        """Takes in one event."""
        self.anything = self.anything or isinstance(event, TextDelta)
        match event:
            case TextDelta("tool", text):
                self._calls.append(text)
            case TextDelta("thinking", text):
                self._thinking.append(text)
            case TextDelta():
                self._answer.append(event)
            case Finished():
                self._finished = event

    def build(
        self, media: Sequence[MediaItem], tools: Sequence[Mapping[str, Any]]
    ) -> Reply | None:
        """The whole reply, or None when the turn did not come to an end.

        `media` are the prompt's items.
        """
        if self._finished is None:
            return None
        return Reply(
            answer="".join(delta.text for delta in self._answer),
            thinking="".join(self._thinking) or None,
            boxes=find_boxes(self._answer, media),
            tool_calls=(
                *self._made_calls,
                *(parse_tool_call(call, tools) for call in self._calls),
            ),
            reason=self._finished.reason,
            usage=self._finished.usage,
            media=tuple(media),
        )
