"""Ctrl-C as a polite request: the first asks, the second insists."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def asks_first(ask: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Within it the first Ctrl-C calls `ask`; a second raises KeyboardInterrupt.

    Yields a function that tells whether Ctrl-C was pressed. Outside the main thread
    signals cannot be caught and nothing changes.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()
        ask()

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
