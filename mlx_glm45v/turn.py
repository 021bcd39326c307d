"""One turn of a conversation: its events for one reader, and its reply.

Knows when an answer is over and what then stays. Does not know how answers are made.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from mlx_glm45v.errors import ConversationInUse
from mlx_glm45v.generation.events import Event, Finished, Usage
from mlx_glm45v.messages import Message
from mlx_glm45v.processing.prompt import MediaItem, Prompt
from mlx_glm45v.replies import Reply, ReplyBuilder


class Turn:
    """A question to the model and its answer, or more of the last answer.

    `answer` makes the events, and gives the prompt among them; `before` is the
    conversation so far. Without a `question` its last message grows.

    `messages` is the conversation: with this turn from the moment that `reply` is
    there, which is when its `Finished` is given or its reader leaves. A turn that did
    not begin, or ended with an error, has no reply and leaves no trace.
    """

    def __init__(
        self,
        answer: Generator[Event | Prompt, None, None],
        before: Sequence[Message],
        question: Message | None,
        tools: Sequence[Mapping[str, Any]],
    ) -> None:
        self.messages = tuple(before)
        self.reply: Reply | None = None
        self._answer = answer
        self._asked = (*before, question) if question else tuple(before[:-1])
        self._said = ReplyBuilder(None if question else before[-1])
        self._tools = tools
        self._media: Sequence[MediaItem] = ()
        # Held while an event is made, and while the answer is closed.
        self._at_work = threading.Lock()

    def read(self) -> Iterator[Event]:
        """The events, for one reader; who closes or drops them has left.

        Raises:
            ConversationInUse: somebody else closed the turn before its `Finished`.
        """
        event = None
        try:
            while not isinstance(event, Finished):
                event = self._next()
                yield event
        finally:
            self.close()

    def _next(self) -> Event:
        with self._at_work:
            try:
                event = next(self._answer)
                if isinstance(event, Prompt):
                    self._media = event.items
                    event = next(self._answer)
            except StopIteration:
                raise ConversationInUse(
                    "another question, or a reset, ended this answer before it was "
                    "whole; read an answer to its end before the session goes on"
                ) from None
            assert not isinstance(event, Prompt)  # there is one
            self._said.add(event)
            if isinstance(event, Finished):
                self._answer.close()
                self._settle()
            return event

    def close(self) -> bool:
        """Ends the answer as if its reader had left: what was said so far stays.

        Never waits: where another thread makes an event, or closes the turn, nothing
        is done and the result is False.
        """
        if not self._at_work.acquire(blocking=False):
            return False
        try:
            under_way = inspect.getgeneratorstate(self._answer) == inspect.GEN_SUSPENDED
            self._answer.close()
            if under_way:
                self._said.add(Finished("cancelled", Usage()))
                self._settle()
            return True
        finally:
            self._at_work.release()

    def _settle(self) -> None:
        reply = self._said.build(self._media, self._tools)
        assert reply is not None  # `Finished` was added
        if self._said.anything:
            self.messages = (*self._asked, reply.message())
        self.reply = reply
