"""A conversation with the model: messages in, events or a whole reply out.

The only room that knows both messages and the engine. A model is loaded and run by one
thread; `ChatSession.stop` and `ChatSession.answer_now` may be called from any other.
"""

from __future__ import annotations

import inspect
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlx_glm45v.errors import Cancelled, ConversationInUse
from mlx_glm45v.generation.events import Event, Finished, Usage
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.reuse import GenerationCache
from mlx_glm45v.generation.stream import stream_prompt
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
from mlx_glm45v.processing.prompt import Prompt
from mlx_glm45v.prompting import (
    DEFAULT_OPTIONS,
    ChatOptions,
    generation_options,
    read_prompt,
    sampling_options,
    with_media_seconds,
)
from mlx_glm45v.replies import Reply, ReplyBuilder

_PARTS = (ImagePart, VideoPart, DocumentPart)
_TRIM_EVERY = 64  # events
_SINGLE = (str, bytes, bytearray, memoryview, np.ndarray)


def stream_generate(
    model: Glm4vMoeForConditionalGeneration,
    processor: Processor,
    messages: Sequence[Message],
    options: ChatOptions = DEFAULT_OPTIONS,
    *,
    continue_final_message: bool = False,
    should_stop: Callable[[], bool] | None = None,
    answer_now: Callable[[], bool] | None = None,
    cache: GenerationCache | None = None,
) -> Iterator[Event]:
    """Answers `messages`: progress, then words, then one `Finished`.

    `continue_final_message` goes on with the last message, an assistant's.
    `should_stop` and `answer_now` are polled between pieces of work: the first ends the
    answer with `Finished("cancelled", ...)`, the second closes thinking and lets the
    answer follow. `cache` keeps for later calls what this one computes: the start of a
    conversation and the features of its pictures (default: nothing is kept).

    Raises:
        MediaError: a picture, video or document cannot be used.
        PromptTooLong: the prompt does not fit the model's context.
        ValueError: an option is out of range, or there are no messages.
    """
    started = time.perf_counter()
    try:
        prompt = yield from read_prompt(
            model, processor, messages, options, continue_final_message, should_stop
        )
    except Cancelled:
        yield Finished("cancelled", Usage())
        return
    yield from _answer(
        model,
        processor,
        prompt,
        options,
        should_stop,
        answer_now,
        GenerationCache(model) if cache is None else cache,
        started=started,
    )


def _answer(
    model: Glm4vMoeForConditionalGeneration,
    processor: Processor,
    prompt: Prompt,
    options: ChatOptions,
    should_stop: Callable[[], bool] | None,
    answer_now: Callable[[], bool] | None,
    cache: GenerationCache,
    *,
    started: float,
) -> Iterator[Event]:
    """The events of an answer to `prompt`, whose reading began at `started`."""
    media_seconds = time.perf_counter() - started
    engine = generation_options(model, processor, prompt, options)
    conversation = cache.conversation(
        prompt,
        rope_length=len(prompt) + engine.max_tokens,
        precision=options.precision,
    )
    events = stream_prompt(
        model,
        prompt,
        detokenizer=processor.tokenizer.detokenizer(),
        options=engine,
        sampling=sampling_options(processor, options),
        markers=Markers.of(processor.tokenizer),
        should_stop=should_stop,
        answer_now=answer_now,
        cache=conversation,
        features=cache.features,
    )
    try:
        for count, event in enumerate(events):
            # A conversation that grows takes its room from the others.
            if count % _TRIM_EVERY == 0:
                cache.trim()
            yield with_media_seconds(event, media_seconds)
    finally:
        cache.trim()


class ChatSession:
    """A conversation of several turns over one model.

    It begins with `system` and goes on from `history`; `messages` is the conversation
    so far. A turn joins it when its reply has ended, a stopped one too as far as it
    came; after an error the conversation is as before, so that the question can be
    asked again. A question ends the answer before it whose events were not all read.
    `cache` may be shared with other sessions over the same model; by
    default the session has its own, so that a second question does not read the first
    one's pictures again.
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
        self._messages = [Message("system", system)] if system else []
        self._messages += history
        self._stop = threading.Event()
        self._answer_now = threading.Event()
        self._reply: Reply | None = None
        # Weak: a reader who drops the events has left.
        self._turn: weakref.ref[Generator[Event, None, None]] | None = None
        self.options = options

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation so far."""
        return tuple(self._messages)

    @property
    def reply(self) -> Reply | None:
        """The last whole reply; None before the first and while one is under way."""
        return self._reply

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
            TypeError: a single source was given where a list of them belongs.
        """
        for _ in self.stream(text, images, videos, documents, thinking=thinking):
            pass
        assert self._reply is not None  # a stream that ends has a reply
        return self._reply

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
        parts: list[Part] = [
            *_as_parts(images, ImagePart, "images"),
            *_as_parts(videos, VideoPart, "videos"),
            *_as_parts(documents, DocumentPart, "documents"),
            TextPart(text),
        ]
        return self.send(Message("user", parts), thinking=thinking)

    def send(
        self, message: Message, *, thinking: bool | None = None
    ) -> Iterator[Event]:
        """Sends one message with its parts in the order given, and yields events."""
        return self._begin(message, thinking)

    def continue_reply(self, *, thinking: bool | None = None) -> Iterator[Event]:
        """Goes on with the last reply, which was cut, and yields what is new.

        `reply` and `messages` then hold the whole of it: words, thinking and boxes.

        Raises:
            ValueError: the last message is not the model's.
        """
        self._leave_turn()
        if not self._messages or self._messages[-1].role != "assistant":
            raise ValueError("there is no reply to go on with: ask something first")
        return self._begin(None, thinking)

    def _begin(self, message: Message | None, thinking: bool | None) -> Iterator[Event]:
        options = self.options
        if thinking is not None:
            options = replace(options, thinking=thinking)
        self._leave_turn()
        self._stop.clear()
        self._answer_now.clear()
        self._reply = None
        events = self._events(message, options)
        self._turn = weakref.ref(events)
        return events

    def _leave_turn(self) -> None:
        """Ends the answer under way as if its reader had left."""
        events = None if self._turn is None else self._turn()
        if events is None:
            return
        if inspect.getgeneratorstate(events) == inspect.GEN_RUNNING:
            raise ConversationInUse(
                "another thread reads this session's answer; wait for its end, call "
                "stop(), or give each thread a session of its own"
            )
        events.close()

    def _events(
        self, message: Message | None, options: ChatOptions
    ) -> Generator[Event, None, None]:
        """Answers `message`; without one the last reply grows."""
        started = time.perf_counter()
        before = self._messages[:-1] if message is None else [*self._messages, message]
        begun = self._messages[-1] if message is None else None
        said = ReplyBuilder(begun)
        prompt: Prompt | None = None
        try:
            prompt = yield from read_prompt(
                self._model,
                self._processor,
                before if begun is None else [*before, begun],
                options,
                begun is not None,
                self._stop.is_set,
            )
            for event in _answer(
                self._model,
                self._processor,
                prompt,
                options,
                self._stop.is_set,
                self._answer_now.is_set,
                self._cache,
                started=started,
            ):
                said.add(event)
                yield event
        except Cancelled:
            said.add(Finished("cancelled", Usage()))
            yield Finished("cancelled", Usage())
        except GeneratorExit:
            # The reader left: what was said so far stays.
            said.add(Finished("cancelled", Usage()))
            raise
        finally:
            reply = said.build(prompt.items if prompt else (), options.tools)
            if reply is not None:
                self._reply = reply
                if said.anything:
                    self._messages = [*before, reply.message()]

    def stop(self) -> None:
        """Ends the answer under way after the piece of work at hand (any thread)."""
        self._stop.set()

    def answer_now(self) -> None:
        """Closes thinking and lets the answer follow (any thread)."""
        self._answer_now.set()

    def reset(self) -> None:
        """Forgets the conversation, but for the system message."""
        self._leave_turn()
        self._messages = [m for m in self._messages if m.role == "system"]
        self._reply = None


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
