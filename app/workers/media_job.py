"""Counts tokens and draws small pictures, in a child process.

Knows the library's processor, made once for a model and kept. Answers each request
with one message under the request's number. Imports no Qt and no mlx.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlx_glm45v import (
    DocumentPart,
    Glm45vError,
    ImagePart,
    MediumPreview,
    Message,
    Processor,
    TextPart,
    VideoPart,
    cached_repos,
    measure,
    previews,
    resolve,
)

if TYPE_CHECKING:
    from ..processes.child import Channel

Part = ImagePart | VideoPart | DocumentPart


def serve(channel: Channel) -> None:
    """Answer until the input ends."""
    desk = _Desk()
    for request in channel:
        number = request["request"]
        try:
            answer = desk.answer(request)
        except (Glm45vError, OSError, ValueError) as error:
            answer = {"event": "failed", "problem": " ".join(str(error).split())}
        channel.send({"request": number, **answer})


class _Desk:
    """The processor of the model asked about last."""

    def __init__(self) -> None:
        self._model: str | None = None
        self._processor: Processor | None = None

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        processor = self._processor_of(request["model"])
        match request["do"]:
            case "measure":
                return _measure(processor, request)
            case "strip":
                return _strip(processor, request)
            case other:
                raise ValueError(f"a media worker cannot {other!r}")

    def _processor_of(self, model: str) -> Processor:
        if self._processor is None or model != self._model:
            self._processor = Processor.from_folder(_folder_of(model))
            self._model = model
        return self._processor


def _folder_of(model: str) -> Path:
    """Where a model lies; the Hub is not asked."""
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    for repo in cached_repos():
        if repo.repo_id == model and repo.folder is not None:
            return repo.folder
    return resolve("demo").folder


def _measure(processor: Processor, request: Mapping[str, Any]) -> dict[str, Any]:
    turns = request["turns"]
    messages = [_message(turn) for turn in turns]
    found = measure(processor, messages, thinking=request["thinking"])
    keys = [source["key"] for turn in turns for source in turn["sources"]]
    media = []
    for key, medium in zip(keys, found.media, strict=True):
        cost = asdict(medium)
        del cost["name"]
        media.append({**cost, "key": key})
    return {"event": "measured", "total": found.total, "media": media}


def _message(turn: Mapping[str, Any]) -> Message:
    parts = [_part(source) for source in turn["sources"]]
    words = [TextPart(turn["text"])] if turn["text"] or not parts else []
    return Message(turn["role"], [*parts, *words], thinking=turn["thinking"] or None)


def _part(source: Mapping[str, Any]) -> Part:
    path, most = Path(source["path"]), source["max_pixels"]
    match source["kind"]:
        case "image":
            return ImagePart(path, max_pixels=most)
        case "video":
            return VideoPart(path, fps=source["fps"], max_pixels=most)
        case _:
            pages = tuple(source["pages"]) if source["pages"] else None
            return DocumentPart(path, pages=pages, max_pixels=most)


def _strip(processor: Processor, request: Mapping[str, Any]) -> dict[str, Any]:
    source, folder = request["source"], Path(request["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    shown = previews(
        processor, _part(source), side=request["side"], most=request["most"]
    )
    stem = _stem(source, request["side"])
    frames = [_saved(preview, folder, stem) for preview in shown]
    return {"event": "strip", "frames": frames}


def _stem(source: Mapping[str, Any], side: int) -> str:
    """One name for one file's content at one size, as far as its date tells."""
    stat = Path(source["path"]).stat()
    told = f"{source['path']} {stat.st_size} {stat.st_mtime_ns} {side}"
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def _saved(preview: MediumPreview, folder: Path, stem: str) -> dict[str, Any]:
    place = preview.page if preview.seconds is None else f"{preview.seconds:.3f}"
    path = folder / (f"{stem}.png" if place is None else f"{stem}-{place}.png")
    if not path.exists():
        # Under another name first: a reader never meets half a picture.
        half = path.with_suffix(".part")
        preview.picture.save(half, "PNG")
        half.replace(path)
    width, height = preview.picture.size
    return {
        "path": str(path),
        "width": width,
        "height": height,
        "seconds": preview.seconds,
        "page": preview.page,
    }
