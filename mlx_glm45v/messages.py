"""What people and models say to each other, as plain values.

Knows roles, parts and their order. Does not know files, pixels, tokens or templates: a
part names its source, `media` opens it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class TextPart:
    """Words."""

    text: str


@dataclass(frozen=True)
class ImagePart:
    """A still picture.

    `source` is a path, encoded bytes, a `data:` or `http(s)://` URL, a PIL image or a
    numpy array of shape (height, width) or (height, width, 3 or 4). `max_pixels` lowers
    the checkpoint's pixel budget for this picture (height * width after resizing).
    """

    source: Any
    max_pixels: int | None = None


@dataclass(frozen=True)
class VideoPart:
    """A moving picture.

    `source` is a path or encoded bytes of a video file, or a sequence of frames
    (anything an `ImagePart` takes) whose `times` are given in seconds. `fps` replaces
    the checkpoint's sampling rate; `max_pixels` lowers its budget (frames * height *
    width after resizing).
    """

    source: Any
    times: tuple[float, ...] | None = None
    fps: float | None = None
    max_pixels: int | None = None


@dataclass(frozen=True)
class DocumentPart:
    """A PDF whose pages become pictures, in order.

    `source` is a path or the file's bytes. `pages` are 1-based page numbers (all when
    None); `dpi` is the resolution they are drawn at.
    """

    source: Any
    pages: tuple[int, ...] | None = None
    dpi: int = 144
    max_pixels: int | None = None


Part = TextPart | ImagePart | VideoPart | DocumentPart


@dataclass(frozen=True)
class ToolCall:
    """A function the model asked for, with its arguments by name."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """One turn: who speaks, and what is said in which order.

    `parts` may be given as a plain string. `thinking` is what an assistant thought
    before its words; `tool_calls` are the functions it asked for after them. A tool's
    result is a message of role "tool".

    Raises:
        ValueError: the role is unknown.
        TypeError: a part is of no known kind.
    """

    role: Role
    parts: tuple[Part, ...]
    thinking: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()

    def __init__(
        self,
        role: Role,
        parts: str | Sequence[Part],
        *,
        thinking: str | None = None,
        tool_calls: Sequence[ToolCall] = (),
    ) -> None:
        if role not in ("system", "user", "assistant", "tool"):
            raise ValueError(
                f"unknown role {role!r}: use 'system', 'user', 'assistant' or 'tool'"
            )
        told = (TextPart(parts),) if isinstance(parts, str) else tuple(parts)
        for part in told:
            if not isinstance(part, Part):
                raise TypeError(
                    f"a message's part is a TextPart, ImagePart, VideoPart or "
                    f"DocumentPart, not {type(part).__name__}"
                )
        object.__setattr__(self, "role", role)
        object.__setattr__(self, "parts", told)
        object.__setattr__(self, "thinking", thinking)
        object.__setattr__(self, "tool_calls", tuple(tool_calls))

    @property
    def text(self) -> str:
        """All words of the turn, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))
