"""`--engine`: the process that holds the model. Imports no Qt.

Knows requests and events, and that nothing that goes wrong may end it without a word:
here, and only here, every error is caught, and told.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..processes.child import Channel
from .plain import NotUnderstood
from .protocol import (
    Ask,
    Event,
    Failed,
    Load,
    Loaded,
    Loading,
    Medium,
    Progress,
    Request,
    request_of,
    title_of,
    to_line,
)
from .wishes import Wishes

if TYPE_CHECKING:
    import mlx_glm45v as glm

_SECONDS_BETWEEN = 0.05


def main() -> int:
    """Serve until the input ends."""
    wishes = Wishes()
    Engine(Channel(urgent=wishes.hear), wishes).serve()
    return 0


class Engine:
    """One model and the questions to it, all in one thread: mlx's arrays stay there."""

    def __init__(self, channel: Channel, wishes: Wishes) -> None:
        self._channel = channel
        self._wishes = wishes
        self._paces: dict[type[Event], _Pace] = {
            Loading: _Pace(),
            Progress: _Pace(),
        }
        self._model: glm.Glm4vMoeForConditionalGeneration | None = None
        self._processor: glm.Processor | None = None
        self._cache: glm.GenerationCache | None = None

    def serve(self) -> None:
        """Answer one request after the other."""
        for line in self._channel:
            request: Request | None = None
            try:
                request = request_of(line)
                self._do(request)
            except Exception as error:
                traceback.print_exc()
                self._send(_failure(error, request, line))

    def _do(self, request: Request) -> None:
        match request:
            case Load():
                self._load(request)
            case Ask():
                self._answer(request)

    def _load(self, request: Load) -> None:
        import mlx.core as mx

        import mlx_glm45v as glm

        self._model = self._processor = self._cache = None

        def progress(at: glm.Progress) -> None:
            self._send(Loading(at.done, at.total, at.item))

        self._model, self._processor = glm.load(
            request.model, force=request.force, progress=progress
        )
        self._cache = glm.GenerationCache(self._model)
        self._send(
            Loaded(
                model=request.model,
                title=title_of(request.model),
                context_length=self._model.config.context_length,
                memory=mx.get_active_memory(),
                machine_memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            )
        )

    def _answer(self, request: Ask) -> None:
        from .answering import answer

        if self._model is None or self._processor is None or self._cache is None:
            raise ValueError("no model is loaded")
        for event in answer(
            self._model, self._processor, self._cache, request, self._wishes
        ):
            self._send(event)

    def _send(self, event: Event) -> None:
        pace = self._paces.get(type(event))
        if pace is None or pace.allows(event):
            self._channel.send(to_line(event))


class _Pace:
    """Lets progress through as often as a person can follow, and every end."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._stage: object = None

    def allows(self, event: Event) -> bool:
        assert isinstance(event, Loading | Progress)
        now = time.monotonic()
        stage = (event.id, event.stage) if isinstance(event, Progress) else event.total
        at_edge = stage != self._stage or event.done >= event.total
        if not at_edge and now - self._last < _SECONDS_BETWEEN:
            return False
        self._last, self._stage = now, stage
        return True


def _failure(
    error: Exception, request: Request | None, line: Mapping[str, Any]
) -> Failed:
    number = line.get("id")
    kind, message = _told(error)
    if isinstance(request, Ask):
        message = _with_own_names(message, request)
    return Failed(number if type(number) is int else None, kind, message)


def _told(error: Exception) -> tuple[str, str]:
    """The error's kind and what a person can do with it."""
    import mlx_glm45v as glm

    kind, words = type(error).__name__, " ".join(str(error).split())
    if isinstance(error, NotUnderstood):
        return kind, f"The model's process did not understand a request: {words}"
    if isinstance(error, glm.Glm45vError | ValueError | OSError):
        return kind, words or kind
    if isinstance(error, MemoryError) or "allocate" in words:
        return "NotEnoughMemory", (
            "The memory did not suffice for this. Close other programs, give fewer or "
            f"smaller pictures, or choose a smaller model. ({words or kind})"
        )
    return kind, f"Something unexpected went wrong, the log tells more: {kind}: {words}"


def _with_own_names(message: str, ask: Ask) -> str:
    """A person knows a file by the name it had, not by its place in the store."""
    for part in (part for each in ask.messages for part in each.parts):
        if isinstance(part, Medium):
            for ours in (part.path, Path(part.path).name):
                message = message.replace(ours, part.name)
    return message
