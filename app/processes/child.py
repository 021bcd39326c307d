"""The child's side of a conversation in JSON lines. Knows pipes; imports no Qt.

File descriptor 1 is moved away, so that no `print` gets between the lines, and a child
whose parent is gone ends at once.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from typing import Any


class Channel:
    """Objects from the parent, one after the other, and objects to it."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._lock = threading.Lock()
        self._incoming: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, message: dict[str, Any]) -> None:
        """Say something, whole; from any thread."""
        with self._lock:
            self._out.write(json.dumps(message) + "\n")
            self._out.flush()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            yield self._incoming.get()

    def _listen(self) -> None:
        for line in sys.stdin:
            try:
                message = json.loads(line)
            except ValueError:
                print(f"not a line of JSON: {line[:80]!r}", file=sys.stderr)
                continue
            self._incoming.put(message)
        # The parent closed the pipe or died; work under way has nobody to go to.
        os._exit(0)
