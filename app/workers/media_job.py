"""Counts tokens and draws small pictures, in a child process.

Knows the library's processor, made once for a model and kept. Answers each request
with one message under the request's number. Imports no Qt and no mlx.
"""

from __future__ import annotations

import hashlib
import json
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
# Pixels of a picture that is not small any more.
_LARGE = 1_000_000


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
    folder = Path(request["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    stem = _stem(request)
    index = folder / f"{stem}.json"
    if index.exists():
        frames = json.loads(index.read_text(encoding="utf-8"))
        if all(Path(frame["path"]).exists() for frame in frames):
            return {"event": "strip", "frames": frames}
    shown = previews(
        processor,
        _part(request["source"]),
        side=request["side"],
        most=request["most"],
        places=request["places"],
    )
    frames = [
        _saved(preview, folder / f"{stem}-{number}.png")
        for number, preview in enumerate(shown)
    ]
    half = index.with_suffix(".part")
    half.write_text(json.dumps(frames), encoding="utf-8")
    half.replace(index)
    return {"event": "strip", "frames": frames}


def _stem(request: Mapping[str, Any]) -> str:
    """The file's own name, by which it is removed, and all that the pictures hang on.

    A file's content is told by its size and date.
    """
    source = request["source"]
    path = Path(source["path"])
    stat = path.stat()
    asked = {**source, "key": None, "size": stat.st_size, "date": stat.st_mtime_ns}
    asked |= {name: request[name] for name in ("model", "side", "most", "places")}
    told = json.dumps(asked, sort_keys=True)
    return f"{path.stem}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def _saved(preview: MediumPreview, path: Path) -> dict[str, Any]:
    # Under another name first: a reader never meets half a picture.
    half = path.with_suffix(".part")
    width, height = preview.picture.size
    # A large one would take seconds at the level that is right for a thumbnail.
    level = 6 if width * height < _LARGE else 1
    preview.picture.save(half, "PNG", compress_level=level)
    half.replace(path)
    return {
        "path": str(path),
        "width": width,
        "height": height,
        "seconds": preview.seconds,
        "page": preview.page,
    }
