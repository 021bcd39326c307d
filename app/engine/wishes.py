"""What a person wants of the answer under way, told by another thread.

Knows numbers of questions. A wish may come before its question has begun.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from .plain import NotUnderstood
from .protocol import AnswerNow, Ask, Stop, request_of


class Answering(Protocol):
    """What can be told to stop and to hurry, from any thread."""

    def stop(self) -> None: ...

    def answer_now(self) -> None: ...


class Wishes:
    """The wishes for one question, the last one that was asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: int | None = None
        self._stop = self._hurry = False
        self._answering: Answering | None = None

    def hear(self, line: Mapping[str, Any]) -> bool:
        """Takes in a request as it arrives; whether it was a wish."""
        try:
            request = request_of(line)
        except NotUnderstood:
            return False
        with self._lock:
            match request:
                case Ask():
                    self._asked = request.id
                    self._stop = self._hurry = False
                    return False
                case Stop():
                    self._stop |= request.id == self._asked
                case AnswerNow():
                    self._hurry |= request.id == self._asked
                case _:
                    return False
            self._pass_on()
        return True

    @contextmanager
    def granted_by(self, answering: Answering) -> Iterator[None]:
        """Within it every wish, an earlier one too, reaches `answering`."""
        with self._lock:
            self._answering = answering
            self._pass_on()
        try:
            yield
        finally:
            with self._lock:
                self._answering = None

    def _pass_on(self) -> None:
        if self._answering is not None and self._stop:
            self._answering.stop()
        if self._answering is not None and self._hurry:
            self._answering.answer_now()
