"""A conversation with the model: messages in, events or a whole reply out.

A model is loaded and run by one thread, which asks and reads the answers;
`ChatSession.stop` and `ChatSession.answer_now` may be called from any other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlx_glm45v.answering import answer_messages
from mlx_glm45v.errors import ConversationInUse
from mlx_glm45v.generation.events import Event
from mlx_glm45v.generation.reuse import GenerationCache
from mlx_glm45v.messages import (
    DocumentPart,
    ImagePart,
    Message,
    Part,
    TextPart,
    VideoPart,
)
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from mlx_glm45v.processing.processor import Processor
from mlx_glm45v.prompting import DEFAULT_OPTIONS, ChatOptions
from mlx_glm45v.replies import Reply
from mlx_glm45v.turn import Turn

_PARTS = (ImagePart, VideoPart, DocumentPart)
_SINGLE = (str, bytes, bytearray, memoryview, np.ndarray)


class ChatSession:
    """A conversation of several turns over one model.

    It begins with `system` and goes on from `history`; `messages` is the conversation
    so far. A turn joins it when its reply has ended, a stopped one too as far as it
    came; after an error the conversation is as before, so that the question can be
    asked again. `cache` may be shared with other sessions over the same model; by
    default the session has its own, so that a second question does not read the first
    one's pictures again.

    A question, `continue_reply` or `reset` ends the answer before it whose events were
    not all read; who goes on reading that one is told by `ConversationInUse`. Where
    another thread is making an event of it, they raise `ConversationInUse` themselves
    and change nothing.
    """

    def __init__(
        self,
        model: Glm4vMoeForConditionalGeneration,
        processor: Processor,
        *,
        system: str | None = None,
        history: Sequence[Message] = (),
        options: ChatOptions = DEFAULT_OPTIONS,
        cache: GenerationCache | None = None,
    ) -> None:
        self._model = model
        self._cache = GenerationCache(model) if cache is None else cache
        self._processor = processor
        beginning = [Message("system", system)] if system else []
        self._beginning = (*beginning, *history)
        self._turn: Turn | None = None  # the last one, under way or over
        self._changing_turn = threading.Lock()
        self._stop = threading.Event()
        self._answer_now = threading.Event()
        self.options = options

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation so far."""
        turn = self._turn
        return self._beginning if turn is None else turn.messages

    @property
    def reply(self) -> Reply | None:
        """The last whole reply; None before the first and while one is under way."""
        turn = self._turn
        return None if turn is None else turn.reply

    def ask(
        self,
        text: str,
        images: Iterable[Any] = (),
        videos: Iterable[Any] = (),
        documents: Iterable[Any] = (),
        *,
        thinking: bool | None = None,
    ) -> Reply:
        """Asks and waits for the whole reply.

        Pictures, videos and documents are paths or anything their parts take as
        `source`; they stand before the words. For another order use `send`.
        `thinking` overrides the session's option for this turn.

        Raises:
            MediaError: a picture, video or document cannot be used.
            PromptTooLong: the conversation does not fit the model's context.
            ConversationInUse: another thread reads an answer of this session, or asked
                before this one was whole.
            TypeError: a single source was given where a list of them belongs.
        """
        question = _question(text, images, videos, documents)
        turn = self._begin(question, thinking)
        for _ in turn.read():
            pass
        assert turn.reply is not None  # it was read to its end
        return turn.reply

    def stream(
        self,
        text: str,
        images: Iterable[Any] = (),
        videos: Iterable[Any] = (),
        documents: Iterable[Any] = (),
        *,
        thinking: bool | None = None,
    ) -> Iterator[Event]:
        """Asks and yields events as they come; `reply` holds the whole at the end."""
        question = _question(text, images, videos, documents)
        return self.send(question, thinking=thinking)

    def send(
        self, message: Message, *, thinking: bool | None = None
    ) -> Iterator[Event]:
        """Sends one message with its parts in the order given, and yields events."""
        return self._begin(message, thinking).read()

    def continue_reply(self, *, thinking: bool | None = None) -> Iterator[Event]:
        """Goes on with the last reply, which was cut, and yields what is new.

        `reply` and `messages` then hold the whole of it: words, thinking and boxes.

        Raises:
            ValueError: the last message is not the model's.
        """
        return self._begin(None, thinking).read()

    def _begin(self, question: Message | None, thinking: bool | None) -> Turn:
        """A new turn; without a question the last reply grows."""
        options = self.options
        if thinking is not None:
            options = replace(options, thinking=thinking)
        with self._changing_turn:
            self._end_turn()
            before = self.messages
            if question is None and (not before or before[-1].role != "assistant"):
                raise ValueError("there is no reply to go on with: ask something first")
            self._stop.clear()
            self._answer_now.clear()
            answer = answer_messages(
                self._model,
                self._processor,
                before if question is None else (*before, question),
                options,
                continue_final_message=question is None,
                should_stop=self._stop.is_set,
                answer_now=self._answer_now.is_set,
                cache=self._cache,
            )
            self._turn = Turn(answer, before, question, options.tools)
            return self._turn

    def _end_turn(self) -> None:
        if self._turn is not None and not self._turn.close():
            raise ConversationInUse(
                "another thread reads this session's answer; wait for its end, or call "
                "stop() and wait"
            )

    def stop(self) -> None:
        """Ends the answer under way after the piece of work at hand (any thread)."""
        self._stop.set()

    def answer_now(self) -> None:
        """Closes thinking and lets the answer follow (any thread)."""
        self._answer_now.set()

    def reset(self) -> None:
        """Forgets the conversation, but for the system message."""
        with self._changing_turn:
            self._end_turn()
            self._beginning = tuple(m for m in self.messages if m.role == "system")
            self._turn = None


def _question(
    text: str,
    images: Iterable[Any],
    videos: Iterable[Any],
    documents: Iterable[Any],
) -> Message:
    parts: list[Part] = [
        *_as_parts(images, ImagePart, "images"),
        *_as_parts(videos, VideoPart, "videos"),
        *_as_parts(documents, DocumentPart, "documents"),
        TextPart(text),
    ]
    return Message("user", parts)


def _as_parts(
    given: Iterable[Any], kind: Callable[[Any], Part], name: str
) -> list[Part]:
    """Each source becomes a part; a part stays itself.

    A path's letters and an array's rows can be iterated, too, so a single source would
    be taken for many.
    """
    if not isinstance(given, Iterable) or isinstance(given, _SINGLE):
        raise TypeError(
            f"{name} is a list of sources, not one {type(given).__name__}; write "
            f"{name}=[...]"
        )
    return [each if isinstance(each, _PARTS) else kind(each) for each in given]
