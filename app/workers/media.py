"""Asks a child process what media take and how they look; the window goes on.

Knows requests, their order and which of them a newer one replaces. Does not know
files: the child opens them, and when one brings it down, that one request has failed
and the others are asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from ..processes.link import JsonProcess
from .child import start_worker
from .values import (
    Measured,
    MediaFailure,
    MediaSource,
    MediumCost,
    PromptTurn,
    Strip,
    StripFrame,
)


class MediaWorker(QObject):
    """One child for all questions, started at the first. `folder` keeps pictures."""

    measured = Signal(object)  # Measured
    strip_ready = Signal(object)  # Strip
    failed = Signal(object)  # MediaFailure

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._model = "demo"
        self._process: JsonProcess | None = None
        self._last = 0
        self._closed = False
        # What the child was asked and has not answered, oldest first.
        self._pending: dict[int, dict[str, Any]] = {}
        self._next_prompt: dict[str, Any] | None = None

    def set_model(self, name: str) -> None:
        """Whose processor counts from now on."""
        self._model = name

    def measure_attachment(self, source: MediaSource) -> int:
        """Ask what one file takes; the number comes back with the answer."""
        turn = PromptTurn("user", "", sources=(source,))
        return self._send(self._measuring((turn,), None, source.key))

    def measure_prompt(
        self, turns: Sequence[PromptTurn], *, thinking: bool | None = None
    ) -> int:
        """Ask what a whole prompt takes.

        While one is being counted the next waits, and a newer one takes its place.
        """
        request = self._numbered(self._measuring(turns, thinking, None))
        if any(_is_prompt(each) for each in self._pending.values()):
            self._next_prompt = request
        else:
            self._post(request)
        return request["request"]

    def thumbnail(self, source: MediaSource, *, side: int = 128) -> int:
        """Ask for one picture: a video's first frame, a document's first page."""
        return self.strip(source, side=side, most=1)

    def strip(
        self,
        source: MediaSource,
        *,
        side: int = 128,
        most: int | None = None,
        places: tuple[int, ...] | None = None,
    ) -> int:
        """Ask for all frames or pages that the model will see, or `most` of them.

        `places` are single ones, from 0, as when a long video is shown part by part.
        """
        return self._send(
            {
                "do": "strip",
                "key": source.key,
                "model": self._model,
                "source": source.to_plain(),
                "folder": str(self._folder),
                "side": side,
                "most": most,
                "places": places,
            }
        )

    def close(self) -> None:
        """End the child, for ever; what was asked is forgotten."""
        self._closed = True
        self._pending.clear()
        self._next_prompt = None
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.deleteLater()

    def _measuring(
        self, turns: Sequence[PromptTurn], thinking: bool | None, key: str | None
    ) -> dict[str, Any]:
        return {
            "do": "measure",
            "key": key,
            "model": self._model,
            "thinking": thinking,
            "turns": [turn.to_plain() for turn in turns],
        }

    def _numbered(self, request: dict[str, Any]) -> dict[str, Any]:
        self._last += 1
        return {**request, "request": self._last}

    def _send(self, request: dict[str, Any]) -> int:
        numbered = self._numbered(request)
        self._post(numbered)
        return numbered["request"]

    def _post(self, request: dict[str, Any]) -> None:
        if self._closed:  # a timer's question, as the app ends
            return
        self._pending[request["request"]] = request
        if self._process is None:
            self._process = start_worker("media", self)
            self._process.received.connect(self._received)
            self._process.ended.connect(self._ended)
        self._process.send(request)

    def _received(self, answer: dict[str, Any]) -> None:
        request = self._pending.pop(answer.get("request", 0), None)
        if request is None:
            return
        if _is_prompt(request) and self._next_prompt is not None:
            waiting, self._next_prompt = self._next_prompt, None
            self._post(waiting)
        number, key = request["request"], request["key"]
        match answer["event"]:
            case "measured":
                media = tuple(MediumCost.from_plain(each) for each in answer["media"])
                self.measured.emit(Measured(number, key, answer["total"], media))
            case "strip":
                frames = tuple(
                    StripFrame(**{**frame, "path": Path(frame["path"])})
                    for frame in answer["frames"]
                )
                self.strip_ready.emit(Strip(number, key, frames))
            case _:
                self.failed.emit(MediaFailure(number, key, answer["problem"]))

    def _ended(self) -> None:
        """The child is gone, though nobody closed it: its oldest request did it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.deleteLater()
        waiting = list(self._pending.values())
        self._pending.clear()
        if not waiting:
            return
        culprit, *others = waiting
        if _is_prompt(culprit) and self._next_prompt is not None:
            others.append(self._next_prompt)
            self._next_prompt = None
        for request in others:
            self._post(request)
        problem = self.tr(
            "This file could not be read: reading it ended its process. Choose another "
            "file, or save it anew."
        )
        self.failed.emit(MediaFailure(culprit["request"], culprit["key"], problem))


def _is_prompt(request: dict[str, Any]) -> bool:
    return request["do"] == "measure" and request["key"] is None
