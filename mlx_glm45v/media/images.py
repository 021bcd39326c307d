"""One still picture, from wherever it is, as upright RGB.

Knows how encoded pictures are opened and what can be wrong with them. Does not know
sizes a model likes, tokens or patches. HEIC is read through `pillow_heif` without
registering it with Pillow, so that nothing outside of this file changes.
"""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from mlx_glm45v.errors import MediaError
from mlx_glm45v.media.fetch import DEFAULT_LIMITS, FetchLimits
from mlx_glm45v.media.rgb import array_to_rgb, to_rgb, upright_size
from mlx_glm45v.media.sources import open_source, source_name

__all__ = ["MAX_IMAGE_PIXELS", "image_size", "load_image", "source_name"]

# Pillow refuses more by itself; 537 MB as RGB.
MAX_IMAGE_PIXELS = 178_956_970
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
KNOWN_HEADS = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP|....ftyp|BM|II\*\0|MM\0\*", re.DOTALL
)
AVIF_BRANDS = (b"avif", b"avis")
# What Pillow's and libheif's readers raise on damaged files.
DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def load_image(
    source: Any,
    *,
    max_pixels: int = MAX_IMAGE_PIXELS,
    limits: FetchLimits = DEFAULT_LIMITS,
    should_stop: Callable[[], bool] | None = None,
) -> Image.Image:
    """An upright RGB picture, its first frame when it is animated.

    `source` is a path, encoded bytes, a `data:` or `http(s)://` address, a PIL image or
    a numpy array (`rgb.array_to_rgb`). Encoded pictures of more than `max_pixels` are
    refused by their header, before they are decoded.

    Raises:
        MediaError: names the source, what is wrong with it and what to do.
        Cancelled: `should_stop` returned True during a download.
    """
    name = source_name(source)
    if isinstance(source, np.ndarray):
        return array_to_rgb(source, name=name)
    if isinstance(source, Image.Image):
        return _decode(source, name=name)
    with open_source(source, limits=limits, should_stop=should_stop) as file:
        image = _open(file, name=name, max_pixels=max_pixels)
        return _decode(image, name=name)


def image_size(
    source: Any,
    *,
    max_pixels: int = MAX_IMAGE_PIXELS,
    limits: FetchLimits = DEFAULT_LIMITS,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[int, int]:
    """Width and height that `load_image` would give, from the header (HEIC: decoded).

    Damage behind the header is not noticed. Raises as `load_image` does.
    """
    if isinstance(source, np.ndarray):
        return array_to_rgb(source, name=source_name(source)).size
    if isinstance(source, Image.Image):
        return upright_size(source)
    with open_source(source, limits=limits, should_stop=should_stop) as file:
        image = _open(file, name=source_name(source), max_pixels=max_pixels)
        return upright_size(image)


def _open(file: BinaryIO, *, name: str, max_pixels: int) -> Image.Image:
    """The picture with its header read and its size checked; HEIC is decoded here."""
    head = file.read(64)
    file.seek(0)
    try:
        if _is_heif(head):
            return _open_heif(file, name=name, max_pixels=max_pixels)
        with warnings.catch_warnings():
            # Our own limit is below; Pillow warns at half of it.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(file)
    except Image.UnidentifiedImageError as error:
        brands = _brands(head)
        if brands and brands.isdisjoint((*AVIF_BRANDS, *HEIF_BRANDS)):
            raise MediaError(
                f"{name} is no picture but a video (MP4 or MOV). Give it as a video"
            ) from error
        if KNOWN_HEADS.match(head):
            raise _damaged(name, "its header cannot be read") from error
        raise MediaError(
            f"{name} is no picture in a known format (it begins with {head[:8]!r}). "
            "Give a PNG, JPEG, WebP, GIF, HEIC, AVIF, BMP or TIFF file"
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(name, "too many", max_pixels) from error
    except DECODER_ERRORS as error:
        raise _damaged(name, error) from error
    _check_size(image.width, image.height, name=name, max_pixels=max_pixels)
    return image


def _brands(head: bytes) -> set[bytes]:
    """What an ISO media file says it is; empty for all other files."""
    if head[4:8] != b"ftyp":
        return set()
    size = min(struct.unpack(">I", head[:4])[0], len(head))
    return {head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))}


def _is_heif(head: bytes) -> bool:
    brands = _brands(head)
    return not brands.intersection(AVIF_BRANDS) and bool(
        brands.intersection(HEIF_BRANDS)
    )


def _open_heif(file: BinaryIO, *, name: str, max_pixels: int) -> Image.Image:
    import pillow_heif  # takes 20 ms, and few pictures need it

    heif = pillow_heif.open_heif(file)
    width, height = heif.size
    _check_size(width, height, name=name, max_pixels=max_pixels)
    return heif.to_pillow()


def _check_size(width: int, height: int, *, name: str, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise _too_many_pixels(
            name, f"{width}x{height} = {width * height:,}", max_pixels
        )


def _too_many_pixels(name: str, count: str, max_pixels: int) -> MediaError:
    return MediaError(
        f"{name} has {count} pixels, the limit is {max_pixels:,}. "
        "Give a smaller picture"
    )


def _damaged(name: str, error: Exception | str) -> MediaError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return MediaError(
        f"{name} is damaged or not complete ({reason}). "
        "Open it in a viewer, and save or download it again"
    )


def _decode(image: Image.Image, *, name: str) -> Image.Image:
    if 0 in image.size:
        raise MediaError(
            f"{name} has no pixels ({image.width}x{image.height}). Give another picture"
        )
    try:
        image.load()
        return to_rgb(image)
    except DECODER_ERRORS as error:
        raise _damaged(name, error) from error
