"""What a drag or the clipboard offers as attachments.

Knows how browsers and file managers word it. Does not open, walk or fetch anything.
"""

from __future__ import annotations

import base64
import binascii
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QImage

# In the order of preference: what keeps most of the picture first.
_IMAGE_FORMATS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/tiff": "tif",
    "image/heic": "heic",
    "image/avif": "avif",
    "image/bmp": "bmp",
}


@dataclass(frozen=True)
class Offered:
    """Files and folders, addresses in the web, and pictures with their names.

    A picture is the bytes of a file, or what another program drew.
    """

    paths: tuple[Path, ...] = ()
    urls: tuple[str, ...] = ()
    images: tuple[tuple[bytes | QImage, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.paths or self.urls or self.images)


def sources_of(mime: QMimeData) -> Offered:
    """What `mime` offers as attachments; empty when it is only text.

    A file on this disk goes before the picture of it that some file managers add, and
    a picture's bytes before its address, which may be the page that it links to.
    """
    paths: list[Path] = []
    urls: list[str] = []
    images: list[tuple[bytes | QImage, str]] = []
    for line in bytes(mime.data("text/uri-list").data()).splitlines():
        address = line.strip().strip(b"\0")
        scheme = address.split(b":", 1)[0].lower()
        if scheme == b"file":
            path = _local_path(address)
            if path is not None and path not in paths:
                paths.append(path)
        elif scheme in (b"http", b"https"):
            text = address.decode("utf-8", "replace")
            if text not in urls:
                urls.append(text)
        elif scheme == b"data":
            images += _inline_picture(address)
    if paths:
        return Offered(paths=tuple(paths))
    images = images or _pictures(mime)
    if images:
        return Offered(images=tuple(images))
    return Offered(urls=tuple(urls))


def offers(mime: QMimeData) -> bool:
    """Whether there is something to take, told by the names of the formats alone.

    A drag asks this with every movement, when decoding a picture would be too slow.
    """
    if mime.hasImage() or any(mime.hasFormat(name) for name in _IMAGE_FORMATS):
        return True
    return mime.hasFormat("text/uri-list")


def _local_path(address: bytes) -> Path | None:
    """The path of a file: address, its bytes kept even where they are no UTF-8.

    A `#`, `?` or single `%` that the sender forgot to escape is part of the name.
    """
    rest = address[len(b"file:") :]
    if rest.startswith(b"//"):
        host, slash, path = rest[2:].partition(b"/")
        if host.lower() not in (
            b"",
            b"localhost",
            os.fsencode(platform.node().lower()),
        ):
            return None
        rest = slash + path
    name = unquote_to_bytes(rest)
    if not name.startswith(b"/") or b"\0" in name:
        return None
    return Path(os.fsdecode(name))


def _inline_picture(address: bytes) -> list[tuple[bytes | QImage, str]]:
    """A `data:` address of a picture, as browsers drag those drawn in a page."""
    head, comma, body = address.partition(b",")
    kind = head[len(b"data:") :].split(b";")[0].decode("ascii", "replace").lower()
    if not comma or kind not in _IMAGE_FORMATS:
        return []
    data = unquote_to_bytes(body)
    if head.lower().endswith(b";base64"):
        try:
            data = base64.b64decode(data)
        except binascii.Error:
            return []
    return [(data, f"picture.{_IMAGE_FORMATS[kind]}")]


def _pictures(mime: QMimeData) -> list[tuple[bytes | QImage, str]]:
    name = _stem(mime)
    for kind, suffix in _IMAGE_FORMATS.items():
        if mime.hasFormat(kind):
            data = bytes(mime.data(kind).data())
            if data:
                return [(data, f"{name}.{suffix}")]
    image = mime.imageData() if mime.hasImage() else None
    if not isinstance(image, QImage) or image.isNull():
        return []
    return [(image, f"{name}.png")]


def _stem(mime: QMimeData) -> str:
    """A picture's name from the address beside it, if that names a file."""
    for url in mime.urls():
        stem = Path(urlsplit(url.toString()).path).stem
        if stem:
            return stem
    return "picture"
