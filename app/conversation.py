"""What a person and the model said to each other, as the app keeps it.

Plain values: no Qt, no SQL, no process. The store reads and writes them, the window
shows them, the controller turns them into requests to the model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

AttachmentKind = Literal["image", "video", "document"]
Role = Literal["user", "assistant"]
# "streaming" is being written (or was, when the app died); "cut" reached the most
# tokens it may have; "looped" repeated itself; "stopped" is the person's doing,
# "failed" the model's.
TurnState = Literal["complete", "streaming", "cut", "looped", "stopped", "failed"]


@dataclass(frozen=True)
class Attachment:
    """A picture, video or document in the store.

    `digest` is the SHA-256 of the file's bytes and its place in the store, `name` what
    the person's file was called. `pages` are 1-based (all when None), `max_pixels` and
    `fps` the detail asked for (the checkpoint's own when None). `tokens` is what it
    takes of the context, None while nobody has counted.
    """

    digest: str
    name: str
    kind: AttachmentKind
    pages: tuple[int, ...] | None = None
    max_pixels: int | None = None
    fps: float | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Box:
    """A rectangle that an answer names, in pixels of the picture it is about.

    `digest` and `page` (1-based, documents only) say which picture; `width` and
    `height` are its own size. The answer's characters `start` to `stop` name the box.
    """

    label: str
    digest: str
    page: int | None
    left: int
    top: int
    right: int
    bottom: int
    width: int
    height: int
    start: int
    stop: int


@dataclass(frozen=True)
class Stats:
    """What an answer took: tokens, seconds, bytes."""

    prompt_tokens: int = 0
    image_tokens: int = 0
    video_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    thinking_tokens: int = 0
    tokens_per_second: float = 0.0
    time_to_first_token: float = 0.0
    peak_memory: int = 0


@dataclass(frozen=True)
class Turn:
    """One message. A conversation is a tree of them; what is shown is one path.

    An answer that was asked for again has siblings under the same question, an edited
    question has siblings under the same answer: this one is number `variant` of
    `variants`. `error` is what went wrong in plain words, `model` who answered.
    `thinking_seconds` is how long thinking took, None where there was none.
    """

    id: int
    parent: int | None
    role: Role
    text: str
    thinking: str = ""
    thinking_seconds: float | None = None
    attachments: tuple[Attachment, ...] = ()
    boxes: tuple[Box, ...] = ()
    state: TurnState = "complete"
    error: str | None = None
    stats: Stats | None = None
    model: str | None = None
    created: float = 0.0
    variant: int = 1
    variants: int = 1


@dataclass(frozen=True)
class Conversation:
    """A conversation as the sidebar lists it.

    `updated` is seconds since the epoch. `title` is empty until the first question.
    `thinking` is its toggle. `draft` and `draft_attachments` are what stands in its
    composer, not sent yet.
    """

    id: int
    title: str
    updated: float
    pinned: bool = False
    thinking: bool = True
    draft: str = ""
    draft_attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class Hit:
    """A place where a search was found.

    `turn` is None where the title matched. `matches` are (start, stop) in `snippet`.
    """

    conversation: int
    title: str
    updated: float
    turn: int | None
    snippet: str
    matches: tuple[tuple[int, int], ...] = field(default=())
