"""What a caller may name as a picture, video or document, and how it is opened.

Knows paths, bytes and addresses, and what can be wrong with them before anything is
decoded. Does not know formats.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

import numpy as np
from PIL import Image, ImageFile

from mlx_glm45v.errors import MediaError
from mlx_glm45v.media.fetch import DEFAULT_LIMITS, FetchLimits, fetch


class Fetched(bytes):
    """The body behind an address, which still goes by the name of it."""

    name: str

    def __new__(cls, body: bytes, name: str) -> Fetched:
        fetched = super().__new__(cls, body)
        fetched.name = name
        return fetched


def source_name(source: Any) -> str:
    """What messages call a source: a file's name, an address, or a kind of value.

    An address loses its query and its password.
    """
    if isinstance(source, Path):
        return source.name or str(source)
    if isinstance(source, str):
        return _name_of_text(source)
    if isinstance(source, Fetched):
        return source.name
    if isinstance(source, bytes | bytearray | memoryview):
        return f"data of {len(source):,} bytes"
    if isinstance(source, ImageFile.ImageFile) and isinstance(source.filename, str):
        return Path(source.filename).name or "picture"
    if isinstance(source, Image.Image):
        return f"picture of {source.width}x{source.height}"
    if isinstance(source, np.ndarray):
        return f"array of shape {source.shape}"
    if isinstance(source, list | tuple):
        return f"{len(source)} frames"
    return f"value of type {type(source).__name__}"


def _name_of_text(text: str) -> str:
    if text.startswith("data:"):
        return f"{text[:40].split(',')[0]},... of {len(text):,} characters"
    if "://" in text:
        scheme, rest = text.split("://", 1)
        address = rest.split("?")[0].split("#")[0]
        host, slash, path = address.partition("/")
        return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    return Path(text).name or repr(text)


def open_source(
    source: Any,
    *,
    limits: FetchLimits = DEFAULT_LIMITS,
    should_stop: Callable[[], bool] | None = None,
) -> AbstractContextManager[BinaryIO]:
    """A readable, seekable file of a path, of encoded bytes, or of an address.

    Raises:
        MediaError: there is nothing to read: the file is missing, empty, a folder, no
            regular file or not readable, the address is wrong or cannot be fetched, or
            the value is none of these kinds.
        Cancelled: `should_stop` returned True during a download.
    """
    name = source_name(source)
    source = fetched(source, limits=limits, should_stop=should_stop)
    if isinstance(source, str | Path):
        return _open_path(Path(source), name)
    if isinstance(source, bytes | bytearray | memoryview):
        return _filled(bytes(source), name)
    raise MediaError(
        f"a {name} is nothing that can be read. "
        "Give a path, the file's bytes, or an http(s):// or data: address"
    )


def fetched(
    source: Any,
    *,
    limits: FetchLimits = DEFAULT_LIMITS,
    should_stop: Callable[[], bool] | None = None,
) -> Any:
    """The bytes behind an address; any other source as it is.

    Raises:
        MediaError, Cancelled: see `open_source`.
    """
    name = source_name(source)
    if isinstance(source, str) and source.startswith("data:"):
        return Fetched(_decode_data_url(source, name=name), name)
    if not isinstance(source, str) or "://" not in source:
        return source
    if not source.lower().startswith(("http://", "https://")):
        raise MediaError(
            f"{name}: only http://, https:// and data: addresses are read. "
            "Give a file's path instead"
        )
    body = fetch(source, name=name, limits=limits, should_stop=should_stop)
    return Fetched(body, name)


def _filled(body: bytes, name: str) -> BinaryIO:
    if not body:
        raise MediaError(f"{name} is empty (0 bytes). Give a file with content")
    return io.BytesIO(body)


def _open_path(path: Path, name: str) -> BinaryIO:
    """Open a regular file; others could block (a pipe) or never end (a device)."""
    try:
        path = path.expanduser()
        status = path.stat()
    except FileNotFoundError as error:
        raise MediaError(
            f"{name}: there is no file at {os.path.abspath(path)}. Check the path"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise MediaError(
            f"{name!a} is no usable path ({_why(error)}). Check the path"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise MediaError(f"{name} is a folder. Give one of the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(
            f"{name} is not a regular file. Copy its content to a file and give that"
        )
    if status.st_size == 0:
        raise MediaError(f"{name} is empty (0 bytes). Give a file with content")
    try:
        return path.open("rb")
    except OSError as error:
        raise MediaError(
            f"{name} cannot be read ({_why(error)}). Check its permissions"
        ) from error


def _why(error: Exception) -> str:
    words = error.strerror if isinstance(error, OSError) else None
    return (words or str(error) or type(error).__name__).lower()


def _decode_data_url(url: str, *, name: str) -> bytes:
    """The bytes of a `data:` URL (RFC 2397), base64 or percent-encoded."""
    header, comma, body = url.partition(",")
    if not comma:
        raise MediaError(
            f"{name}: a data: address needs a comma before its data. "
            "Write data:image/png;base64,<base64>"
        )
    raw = unquote_to_bytes(body)
    if not header.endswith(";base64"):
        return raw
    try:
        return base64.b64decode(b"".join(raw.split()), validate=True)
    except binascii.Error as error:
        raise MediaError(
            f"{name}: its data is not base64 ({error}). Encode the file again"
        ) from error
