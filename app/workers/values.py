"""What the window asks of the media worker, and what comes back. Plain values.

Knows how they look as JSON. Does not know files' contents.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ..conversation import AttachmentKind, Role


@dataclass(frozen=True)
class MediaSource:
    """A file as the model will take it. `key` is the asker's own name for it."""

    key: str
    path: Path
    kind: AttachmentKind
    pages: tuple[int, ...] | None = None
    max_pixels: int | None = None
    fps: float | None = None

    def to_plain(self) -> dict[str, Any]:
        """As JSON carries it."""
        return {**asdict(self), "path": str(self.path)}


@dataclass(frozen=True)
class PromptTurn:
    """One message of a prompt that is to be counted: media stand before the words."""

    role: Role | Literal["system"]
    text: str
    thinking: str | None = None
    sources: tuple[MediaSource, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """As JSON carries it."""
        sources = [source.to_plain() for source in self.sources]
        return {"role": self.role, "text": self.text, "thinking": self.thinking} | {
            "sources": sources
        }


@dataclass(frozen=True)
class MediumCost:
    """What one medium takes: its own pixels, the model's, tokens, frames, pages.

    `seconds` are those of a video's frame pairs, `pages` counts a document's.
    """

    key: str
    kind: AttachmentKind
    width: int
    height: int
    tokens: int
    resized: tuple[int, int]
    seconds: tuple[float, ...] = ()
    duration: float = 0.0
    pages: int = 0

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> MediumCost:
        """Back from JSON, whose lists were tuples."""
        return cls(
            **{
                **plain,
                "resized": tuple(plain["resized"]),
                "seconds": tuple(plain["seconds"]),
            }
        )


@dataclass(frozen=True)
class Measured:
    """An answer to request `request`: tokens of the whole prompt and of each medium.

    `key` is the attachment's where one alone was asked about, None for a prompt.
    """

    request: int
    key: str | None
    total: int
    media: tuple[MediumCost, ...]


@dataclass(frozen=True)
class StripFrame:
    """One picture of a strip: a PNG file with its seconds or its page (1-based)."""

    path: Path
    width: int
    height: int
    seconds: float | None = None
    page: int | None = None


@dataclass(frozen=True)
class Strip:
    """The pictures of a medium, small: a thumbnail is a strip of one."""

    request: int
    key: str
    frames: tuple[StripFrame, ...]


@dataclass(frozen=True)
class MediaFailure:
    """Request `request` came to nothing: why, in plain words."""

    request: int
    key: str | None
    problem: str
