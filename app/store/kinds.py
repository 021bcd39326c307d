"""What a file is, from its first bytes, and from its name where they do not say."""

from __future__ import annotations

from pathlib import PurePath

from ..conversation import AttachmentKind
from .errors import StoreError

HEAD = 64
Kind = tuple[AttachmentKind, str]

_STARTS: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", ("image", ".png")),
    (b"\xff\xd8\xff", ("image", ".jpg")),
    (b"GIF8", ("image", ".gif")),
    (b"BM", ("image", ".bmp")),
    (b"II*\0", ("image", ".tif")),
    (b"MM\0*", ("image", ".tif")),
    (b"%PDF-", ("document", ".pdf")),
    (b"\x1aE\xdf\xa3", ("video", ".mkv")),
    (b"\0\0\x01\xba", ("video", ".mpg")),
)
_STILL_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"}
_NAMES: dict[AttachmentKind, str] = {
    "image": ".png .jpg .jpeg .gif .bmp .tif .tiff .webp .heic .heif .avif",
    "video": ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .3gp",
    "document": ".pdf",
}


def kind_of(head: bytes, name: str) -> Kind:
    """The kind, and the suffix that goes with the bytes rather than with the name.

    Raises:
        StoreError: it is no picture, video or PDF.
    """
    if not head:
        raise StoreError(f"{name} is empty.")
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image", ".webp"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "video", ".avi"
    if head[4:8] == b"ftyp":
        return _iso_media(head[8:12])
    suffix = PurePath(name).suffix.lower()
    for kind, suffixes in _NAMES.items():
        if suffix in suffixes.split():
            return kind, suffix
    raise StoreError(f"{name} is no picture, video or PDF.")


def _iso_media(brand: bytes) -> Kind:
    if brand in (b"avif", b"avis"):
        return "image", ".avif"
    if brand in _STILL_BRANDS:
        return "image", ".heic"
    return "video", ".mov" if brand == b"qt  " else ".mp4"
