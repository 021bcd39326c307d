"""A file behind an `http(s)://` address, within limits of size, time and redirects.

Knows the web only. Does not know pictures: what it returns are bytes.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import IO, Any
from urllib.parse import urlsplit

from mlx_glm45v.errors import Cancelled, MediaError

CHUNK = 1 << 16
POLL = 0.05


@dataclass(frozen=True)
class FetchLimits:
    """What one download may take: bytes, seconds in all, and redirects."""

    max_bytes: int = 256 * 2**20
    seconds: float = 60.0
    redirects: int = 5


DEFAULT_LIMITS = FetchLimits()


def fetch(
    url: str,
    *,
    name: str,
    limits: FetchLimits = DEFAULT_LIMITS,
    should_stop: Callable[[], bool] | None = None,
) -> bytes:
    """The body behind `url`; `name` is what messages call it.

    `should_stop` is called about every 0.05 s from a watching thread, which also ends
    the transfer when `limits.seconds` are over, however slowly the server drips; only
    the look-up of the host's name is not bounded by them.

    Raises:
        MediaError: the server cannot be reached, refuses, redirects for ever or to
            another scheme, sends more than the limit or less than it announced, or
            takes too long.
        Cancelled: `should_stop` returned True.
    """
    with _Watch(limits.seconds, should_stop) as watch:
        try:
            with _opener(watch, limits).open(url, timeout=limits.seconds) as response:
                return _read_body(response, name=name, limits=limits)
        except urllib.error.HTTPError as error:
            watch.explain(name, limits)
            raise MediaError(
                f"{name}: the server answered {error.code} {error.reason}. "
                "Check the address, or download the file and give its path"
            ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            watch.explain(name, limits)
            raise MediaError(
                f"{name} could not be downloaded ({_reason(error)}). "
                "Check the address and the connection, or give a file's path"
            ) from error


def _read_body(
    response: http.client.HTTPResponse, *, name: str, limits: FetchLimits
) -> bytes:
    announced = response.headers.get("Content-Length", "")
    expected = int(announced) if announced.isdecimal() else None
    if expected is not None and expected > limits.max_bytes:
        raise _too_large(name, f"{expected:,} bytes", limits)
    body = io.BytesIO()
    while chunk := response.read(CHUNK):
        body.write(chunk)
        if body.tell() > limits.max_bytes:
            raise _too_large(name, "more", limits)
    if expected is not None and body.tell() < expected:
        raise http.client.HTTPException(
            f"the server announced {expected:,} bytes and sent {body.tell():,}"
        )
    return body.getvalue()


def _too_large(name: str, size: str, limits: FetchLimits) -> MediaError:
    return MediaError(
        f"{name}: the server sends {size}, the limit is {limits.max_bytes:,} bytes. "
        "Use a smaller file, or download it and give its path"
    )


def _reason(error: Exception) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(inner) or type(inner).__name__


def _opener(watch: _Watch, limits: FetchLimits) -> urllib.request.OpenerDirector:
    """An opener for http and https alone, so that no redirect leads to a local file."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _Http(watch),
        _Https(watch),
        _Redirects(limits.redirects),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "mlx-glm45v"), ("Accept", "*/*")]
    return opener


class _Watch:
    """Ends the sockets given to it when time is over or the caller wants to stop."""

    def __init__(self, seconds: float, should_stop: Callable[[], bool] | None) -> None:
        self._deadline = time.monotonic() + seconds
        self._should_stop = should_stop
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._ended: str | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def add(self, connected: socket.socket) -> None:
        with self._lock:
            self._sockets.append(connected)
            ended = self._ended
        if ended:
            raise OSError("stopped")

    def remaining(self) -> float:
        return max(self._deadline - time.monotonic(), 0.001)

    def explain(self, name: str, limits: FetchLimits) -> None:
        """Raise what the watch did, if it was the watch that ended the transfer."""
        if self._ended == "stop":
            raise Cancelled(f"stopped while downloading {name}")
        if self._ended == "time" or time.monotonic() >= self._deadline:
            raise MediaError(
                f"{name} was not complete after {limits.seconds:g} s. "
                "Try again, or download the file and give its path"
            )

    def _run(self) -> None:
        while not self._done.wait(min(POLL, self.remaining())):
            if self._should_stop is not None and self._should_stop():
                return self._end("stop")
            if time.monotonic() >= self._deadline:
                return self._end("time")
        return None

    def _end(self, why: str) -> None:
        with self._lock:
            self._ended = why
            sockets = tuple(self._sockets)
        for connected in sockets:
            try:
                connected.shutdown(socket.SHUT_RDWR)
            except OSError:  # the server closed it first
                continue


class _Connection(http.client.HTTPConnection):
    def __init__(self, host: str, *, watch: _Watch, timeout: float) -> None:
        super().__init__(host, timeout=min(timeout, watch.remaining()))
        self._watch = watch

    def connect(self) -> None:
        super().connect()
        self._watch.add(self.sock)


class _SecureConnection(http.client.HTTPSConnection):
    def __init__(self, host: str, *, watch: _Watch, timeout: float) -> None:
        super().__init__(
            host, timeout=min(timeout, watch.remaining()), context=_trusting()
        )
        self._watch = watch

    def connect(self) -> None:
        super().connect()
        self._watch.add(self.sock)


def _trusting() -> ssl.SSLContext:
    """Asks the system whom to trust: on a Mac, Python itself may know nobody."""
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._connect: Any = partial(_Connection, watch=watch)

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connect, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._connect: Any = partial(_SecureConnection, watch=watch)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connect, req)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows so many redirects, to http(s) only."""

    # The base class's own limits, out of the way of ours.
    max_redirections = 1000
    max_repeats = 1000

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._followed = 0

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise ValueError(f"it redirects to {newurl[:80]!r}, which is not http(s)")
        self._followed += 1
        if self._followed > self._limit:
            raise ValueError(f"it redirects more than {self._limit} times")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
