"""The child's end of a link: JSON objects, one a line, in at 0 and out at 1.

Knows file descriptors and lines. Does not know what they say. Imports no Qt.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from queue import SimpleQueue
from typing import Any

_CHUNK = 2**16
_MOST_SHOWN = 200


class Channel:
    """The one owner of the child's input and output; iterating gives the requests.

    Both move to private descriptors: a print, of Python or of a library, goes to
    standard error. A thread reads. When the input ends, the parent is gone or wants no
    more, and the process ends at once, whatever it is doing. `urgent` sees each request
    in the reading thread, before it waits its turn; what it answers with True has been
    dealt with.
    """

    def __init__(self, urgent: Callable[[dict[str, Any]], bool] | None = None) -> None:
        # Ctrl+C in a terminal reaches the whole group; the parent decides.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._urgent = urgent
        self._in, self._out = _private_descriptors()
        self._writing = threading.Lock()
        self._requests: SimpleQueue[dict[str, Any]] = SimpleQueue()
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            yield self._requests.get()

    def send(self, message: Mapping[str, Any]) -> None:
        """One object to the parent, from any thread."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with self._writing:
            try:
                while line:
                    line = line[os.write(self._out, line) :]
            except BrokenPipeError:
                os._exit(0)

    def _read(self) -> None:
        status = 1
        try:
            self._read_lines()
            status = 0
        finally:
            if status:
                traceback.print_exc()
            # No cleaning up: the main thread may sit in a computation for seconds.
            os._exit(status)

    def _read_lines(self) -> None:
        waiting = bytearray()
        while chunk := os.read(self._in, _CHUNK):
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                self._take(bytes(waiting + line))
                waiting.clear()
            waiting += rest

    def _take(self, line: bytes) -> None:
        request = parse_line(line)
        if request is None:
            if line.strip():
                shown = line[:_MOST_SHOWN].decode(errors="replace")
                print(f"not understood: {shown!r}", file=sys.stderr, flush=True)
        elif self._urgent is None or not self._urgent(request):
            self._requests.put(request)


def parse_line(line: bytes) -> dict[str, Any] | None:
    """A line's JSON object, None when it is something else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _private_descriptors() -> tuple[int, int]:
    """What 0 and 1 were, out of reach; now 0 is empty and 1 is standard error."""
    reading, writing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    # The process may end at any moment: words must not wait in a buffer.
    for stream in (sys.stdout, sys.stderr):
        # A bundle may have put something of its own in their place.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    return reading, writing
