"""Asking the Hub for a file: a request is made again while its fault may pass.

Knows ranges, answers and which errors are worth another try. Does not know what becomes
of the bytes, nor repositories.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

import httpx2
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import get_session, hf_raise_for_status

from ..errors import Cancelled, DownloadError

RETRY_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
_LONGEST_WAIT = 300.0
_TIMEOUT_SECONDS = 10.0
_TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504})

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class RemoteFile:
    """A file of known size in bytes and checksum behind a URL.

    `digest` is the sha256 of the content or, for `kind` "git", the sha1 of the git
    blob.
    """

    url: str
    size: int
    digest: str
    kind: Literal["sha256", "git"]


def ask(
    request: Callable[[], Answer],
    *,
    stop: threading.Event,
    retry_waits: Sequence[float] = RETRY_WAITS,
    was_reached: bool = False,
) -> Answer:
    """Make a request again while the server says 429 or 5xx.

    Raises the last error. Without any connection it raises at once, for whoever is
    offline should hear it now, unless the server `was_reached` a moment ago.
    """
    for seconds in retry_waits:
        try:
            return request()
        except (httpx2.TransportError, HfHubHTTPError) as error:
            lost = isinstance(error, httpx2.TransportError) and not was_reached
            if lost or not is_transient(error):
                raise
            wait(retry_after(error) or seconds, stop)
    return request()


def read_start(
    remote: RemoteFile,
    count: int,
    *,
    headers: Mapping[str, str],
    stop: threading.Event,
    retry_waits: Sequence[float] = RETRY_WAITS,
) -> bytes:
    """The first `count` bytes of a remote file, or all when it is shorter.

    Not verified: a checksum needs the whole file. Raises as `fetch` does.
    """
    count = min(count, remote.size)
    if not count:
        return b""
    asked = {**headers, "Accept-Encoding": "identity", "Range": f"bytes=0-{count - 1}"}

    def request() -> bytes:
        start = bytearray()
        with answer(remote, asked) as response:
            _check_whole_size(remote, response)
            for chunk in response.iter_bytes():
                if stop.is_set():
                    raise Cancelled("the download was stopped")
                start += chunk
                if len(start) > count:  # the server ignores ranges
                    break
        if len(start) < count:
            raise ended_early(len(start), count)
        return bytes(start[:count])

    return ask(request, stop=stop, retry_waits=retry_waits, was_reached=True)


@contextmanager
def answer(remote: RemoteFile, headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
    """A successful answer whose body is still to be read."""
    with get_session().stream(
        "GET", remote.url, headers=headers, timeout=_TIMEOUT_SECONDS
    ) as response:
        if not response.is_success:
            response.read()
        hf_raise_for_status(response)
        yield response


def check_announced(remote: RemoteFile, have: int, response: httpx2.Response) -> None:
    """Raise `DownloadError` unless `have` bytes and the answer's make the whole."""
    length = response.headers.get("content-length", "")
    if length.isdecimal() and have + int(length) != remote.size:
        raise wrong_size(remote, have + int(length))


def _check_whole_size(remote: RemoteFile, response: httpx2.Response) -> None:
    """A range comes with the size of the whole: `bytes 0-7/4981234567`."""
    if response.status_code != 206:
        check_announced(remote, 0, response)
        return
    whole = response.headers.get("content-range", "").rpartition("/")[2]
    if whole.isdecimal() and int(whole) != remote.size:
        raise wrong_size(remote, int(whole))


def ended_early(have: int, wanted: int) -> httpx2.RemoteProtocolError:
    """The error for an answer that stopped in the middle."""
    return httpx2.RemoteProtocolError(
        f"the connection ended after {have} of {wanted} bytes"
    )


def wrong_size(remote: RemoteFile, size: int) -> DownloadError:
    """The error for a file that is sent with another size than was listed."""
    return DownloadError(
        f"{remote.url} is sent with {size} bytes, the repository lists {remote.size}; "
        "try again later, or name another revision"
    )


def is_transient(error: BaseException) -> bool:
    """Whether the same request may well succeed a little later."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _TRANSIENT_STATUS
    return isinstance(error, httpx2.TransportError)


def retry_after(error: Exception) -> float | None:
    """The seconds that the server asks to wait for, None when it names none."""
    if not isinstance(error, HfHubHTTPError):
        return None
    value = error.response.headers.get("retry-after", "")
    return min(float(value), _LONGEST_WAIT) if value.isdecimal() else None


def wait(seconds: float, stop: threading.Event) -> None:
    """Wait; raise `Cancelled` once `stop` is set."""
    if stop.wait(seconds):
        raise Cancelled("the download was stopped")
