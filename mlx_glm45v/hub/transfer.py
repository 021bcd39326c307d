"""One remote file becomes one local file, whatever happens to the connection.

Knows HTTP ranges, part files and checksums. Bytes go to `<name>.part` and stay there
when the transfer ends early, so that the next one goes on where this one stopped: the
Hub's own client deletes its part files, which for a shard of 5 GB is an evening's work
on a slow line. Does not know repositories, caches or models.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx2
from huggingface_hub.errors import HfHubHTTPError

from ..errors import Cancelled, DownloadError
from .asking import (
    RETRY_WAITS,
    RemoteFile,
    answer,
    check_announced,
    ended_early,
    is_transient,
    retry_after,
    wait,
    wrong_size,
)

_HASH_BLOCK = 8 << 20


def part_of(destination: Path) -> Path:
    """Where the bytes of an unfinished transfer to `destination` lie."""
    return destination.with_name(destination.name + ".part")


def fetch(
    remote: RemoteFile,
    destination: Path,
    *,
    headers: Mapping[str, str],
    stop: threading.Event,
    on_size: Callable[[int], None] = lambda _size: None,
    retry_waits: Sequence[float] = RETRY_WAITS,
) -> None:
    """Fetch a remote file, going on from its part file; verify; move into place.

    `on_size` gets the number of bytes on disk. Dropped connections, 429 and 5xx are
    tried again after `retry_waits` seconds (a server's Retry-After goes before); the
    count starts afresh with every byte that arrives. Raises `Cancelled` once `stop` is
    set, `DownloadError` for content that is not what was announced, httpx's and the
    Hub's own errors when the waits are used up, and `OSError` for the disk's.
    """
    with _locked_part(part_of(destination), stop) as part:
        if destination.exists():  # another process was faster
            os.unlink(part.name)
            on_size(remote.size)
            return
        failures = 0
        while (before := os.fstat(part.fileno()).st_size) != remote.size:
            try:
                _receive(remote, part, headers=headers, stop=stop, on_size=on_size)
            except (httpx2.TransportError, HfHubHTTPError) as error:
                if os.fstat(part.fileno()).st_size > before:
                    failures = 0
                if not is_transient(error) or failures >= len(retry_waits):
                    raise
                wait(retry_after(error) or retry_waits[failures], stop)
                failures += 1
        on_size(remote.size)
        os.fsync(part.fileno())
        _verify(remote, part, stop)
        os.replace(part.name, destination)


@contextmanager
def _locked_part(path: Path, stop: threading.Event) -> Iterator[BinaryIO]:
    """The part file open for appending, held by this transfer alone.

    Another process fetching the same file is waited for; it may have moved the file
    into place meanwhile, so that the name has to be opened anew.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("ab") as part:
            try:
                fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                wait(0.2, stop)
                continue
            if _still_names(path, part):
                yield part
                return


def _still_names(path: Path, part: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(part.fileno()))
    except FileNotFoundError:
        return False


def _receive(
    remote: RemoteFile,
    part: BinaryIO,
    *,
    headers: Mapping[str, str],
    stop: threading.Event,
    on_size: Callable[[int], None],
) -> None:
    """Append what one connection brings."""
    have = os.fstat(part.fileno()).st_size
    if have > remote.size:
        part.truncate(have := 0)
    asked = {**headers, "Accept-Encoding": "identity"}
    if have:
        asked["Range"] = f"bytes={have}-"
    with answer(remote, asked) as response:
        if response.status_code != 206 and have:
            part.truncate(have := 0)  # the server sends the file from its beginning
        check_announced(remote, have, response)
        on_size(have)
        for chunk in response.iter_bytes():
            if stop.is_set():
                raise Cancelled("the download was stopped")
            have += len(chunk)
            if have > remote.size:
                part.truncate(0)
                raise wrong_size(remote, have)
            part.write(chunk)
            part.flush()
            on_size(have)
    if have < remote.size:
        raise ended_early(have, remote.size)


def _verify(remote: RemoteFile, part: BinaryIO, stop: threading.Event) -> None:
    """Compare the checksum; a file that differs is removed, nothing could mend it."""
    if remote.kind == "git":
        state = hashlib.sha1(b"blob %d\0" % remote.size)
    else:
        state = hashlib.sha256()
    with open(part.name, "rb") as stream:
        while block := stream.read(_HASH_BLOCK):
            if stop.is_set():
                raise Cancelled("the download was stopped")
            state.update(block)
    if state.hexdigest() != remote.digest:
        part.truncate(0)
        raise DownloadError(
            f"{remote.url} arrived damaged: its checksum is {state.hexdigest()}, "
            f"{remote.digest} was announced; it was removed, start the download again"
        )
