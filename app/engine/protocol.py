"""What the window and the model's process say to each other: values, as lines of JSON.

Every question carries its whole conversation, so that a process that was started anew
can answer the next one. Knows no Qt, no mlx and no pipes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from ..conversation import AttachmentKind, Stats
from .plain import NotUnderstood, from_plain, to_plain


@dataclass(frozen=True)
class Words:
    """A piece of text in a message."""

    text: str


@dataclass(frozen=True)
class Medium:
    """A file in a message. `name` is what the person's own was called.

    `pages` are 1-based (all when None); `max_pixels` and `fps` replace the
    checkpoint's.
    """

    kind: AttachmentKind
    path: str
    name: str
    pages: tuple[int, ...] | None = None
    max_pixels: int | None = None
    fps: float | None = None


@dataclass(frozen=True)
class Message:
    """One turn of the conversation, its parts in order."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Words | Medium, ...]
    thinking: str | None = None


@dataclass(frozen=True)
class Sampling:
    """How random an answer is."""

    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float


@dataclass(frozen=True)
class Options:
    """How to answer; None is the checkpoint's own."""

    thinking: bool | None = None
    thinking_budget: int | None = None
    max_tokens: int = 8192
    context_length: int | None = None
    sampling: Sampling | None = None


@dataclass(frozen=True)
class Load:
    """Load a model; `force` it although memory may not suffice."""

    model: str
    force: bool = False


@dataclass(frozen=True)
class Ask:
    """Answer the last message, or go on with it when `continue_reply`."""

    id: int
    messages: tuple[Message, ...]
    options: Options = Options()
    continue_reply: bool = False


@dataclass(frozen=True)
class Stop:
    """End the answer to question `id`."""

    id: int


@dataclass(frozen=True)
class AnswerNow:
    """Close the thinking of question `id` and answer."""

    id: int


@dataclass(frozen=True)
class Loading:
    """`done` of `total` bytes are fetched or loaded; `item` is at work."""

    done: int
    total: int
    item: str


@dataclass(frozen=True)
class Loaded:
    """The model is there. Memory is in bytes."""

    model: str
    title: str
    context_length: int
    memory: int
    machine_memory: int


@dataclass(frozen=True)
class Progress:
    """Work before the first word: files read, patches looked at, tokens read."""

    id: int
    stage: Literal["media", "vision", "prompt"]
    done: int
    total: int


@dataclass(frozen=True)
class Text:
    """New words. `boxed` ones stood between the model's box markers."""

    id: int
    channel: Literal["thinking", "answer", "tool"]
    text: str
    boxed: bool = False


@dataclass(frozen=True)
class Box:
    """A rectangle that the answer names, in pixels of one picture.

    The picture is part `part` of message `message` of the question, there `page` (from
    1) of a document; `width` and `height` are its own. The characters `start` to `stop`
    of the whole answer, what stood there before a continuation included, name it.
    """

    label: str
    message: int
    part: int
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
class Finished:
    """The end of an answer. `thinking_seconds` is None when nothing was thought."""

    id: int
    reason: Literal["stop", "length", "cancelled", "repetition"]
    stats: Stats
    boxes: tuple[Box, ...] = ()
    thinking_seconds: float | None = None


@dataclass(frozen=True)
class Failed:
    """Question `id` has no answer, or no model was loaded (None).

    `kind` is the error's name, `message` what to tell a person.
    """

    id: int | None
    kind: str
    message: str


Request = Load | Ask | Stop | AnswerNow
Event = Loading | Loaded | Progress | Text | Finished | Failed

_REQUESTS: dict[str, type[Request]] = {
    "load": Load,
    "ask": Ask,
    "stop": Stop,
    "answer_now": AnswerNow,
}
_EVENTS: dict[str, type[Event]] = {
    "loading": Loading,
    "loaded": Loaded,
    "progress": Progress,
    "text": Text,
    "finished": Finished,
    "error": Failed,
}
_WORDS = {kind: word for word, kind in (_REQUESTS | _EVENTS).items()}
_TAG = "is"


def to_line(value: Request | Event) -> dict[str, Any]:
    """What goes over the pipe."""
    return {_TAG: _WORDS[type(value)], **to_plain(value)}


def request_of(line: Mapping[str, Any]) -> Request:
    """The request that came over the pipe.

    Raises:
        NotUnderstood: it is none; the message names the place.
    """
    return _read(_REQUESTS, line)


def event_of(line: Mapping[str, Any]) -> Event:
    """The event that came over the pipe.

    Raises:
        NotUnderstood: it is none; the message names the place.
    """
    return _read(_EVENTS, line)


def title_of(model: str) -> str:
    """What people call a model that is loaded by this name."""
    return "Demo" if model == "demo" else PurePath(model).name or model


def _read(kinds: dict[str, type[Any]], line: Mapping[str, Any]) -> Any:
    word = line.get(_TAG)
    kind = kinds.get(word) if isinstance(word, str) else None
    if kind is None:
        raise NotUnderstood(f"{word!r:.80} is none of {', '.join(kinds)}")
    return from_plain(kind, {name: line[name] for name in line if name != _TAG})
