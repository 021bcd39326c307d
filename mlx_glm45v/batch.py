"""Many conversations answered together, such as a caption for each picture of a folder.

Knows both messages and the engine. Does not know where conversations come from or where
replies go. Runs in the thread that iterates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import cast

import mlx.core as mx

from mlx_glm45v.errors import Cancelled, Glm45vError
from mlx_glm45v.generation.events import Finished
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.request import Request
from mlx_glm45v.generation.reuse import GenerationCache
from mlx_glm45v.generation.rows import Rows, Said
from mlx_glm45v.messages import Message
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from mlx_glm45v.processing.processor import Processor
from mlx_glm45v.processing.prompt import MediaItem, Prompt
from mlx_glm45v.progress import ShouldStop
from mlx_glm45v.prompting import (
    DEFAULT_OPTIONS,
    ChatOptions,
    generation_options,
    read_prompt,
    sampling_options,
    with_media_seconds,
)
from mlx_glm45v.replies import Reply, ReplyBuilder

Conversation = Sequence[Message]
Result = tuple[int, Reply | Glm45vError | ValueError]


@dataclass(frozen=True)
class BatchProgress:
    """Conversations that are `done` (answered or failed) and `running`, and tokens."""

    done: int
    running: int
    generated_tokens: int


def generate_batch(
    model: Glm4vMoeForConditionalGeneration,
    processor: Processor,
    conversations: Iterable[Conversation],
    options: ChatOptions | Iterable[ChatOptions] = DEFAULT_OPTIONS,
    *,
    batch_size: int = 8,
    cache: GenerationCache | None = None,
    progress: Callable[[BatchProgress], None] | None = None,
    should_stop: ShouldStop | None = None,
) -> Iterator[Result]:
    """Answers each conversation, `batch_size` at a time; yields (index, reply).

    Replies come as answers end, those of one step in the order of their conversations;
    when one ends the next conversation takes its place. What cannot be used (a picture
    that is missing, a prompt too long, no messages) is yielded in the place of a reply
    as the error that it is, and the others go on. In float32 the words are those that
    each conversation would be answered with alone.

    Conversations are taken and their files read when their turn comes, so they may be
    any number. Memory is that of `batch_size` times the longest of the prompts and
    answers at work, and one prompt more. `options` are for all, or one for each; those
    with other kv_bits wait until the rows at work have ended.
    `cache` keeps features of pictures and starts of prompts for other calls (default:
    what neighbours share is computed once, nothing is kept). `progress` is called after
    each step. `should_stop` ends the run after the piece of work at hand: answers under
    way come with reason "cancelled", conversations that had not begun do not come. In
    `Reply.usage` decoding seconds are those of all answers in the batch together, and
    the peak of memory is that of the run so far.

    Raises:
        ValueError: `batch_size` is below 1, the options for all do not fit
            (`check_batch_options`; one's own are its error), or there are more or
            fewer options than conversations: at once, where both have a length.
        Exception: what `conversations` or `options` raise, or because they hold what
            is none, after the answers under way.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    if isinstance(options, ChatOptions):
        check_batch_options(model, options)
        asked = ((each, options) for each in conversations)
    else:
        _check_lengths(conversations, options)
        asked = zip(conversations, options, strict=True)
    # One prompt, for the next one to begin with.
    cache = GenerationCache(model, kv_bytes=0) if cache is None else cache
    batch = _Batch(model, processor, asked, batch_size, cache, progress, should_stop)
    return batch.results()


def check_batch_options(
    model: Glm4vMoeForConditionalGeneration, options: ChatOptions
) -> None:
    """Refuses what cannot be right for any conversation of a batch over `model`.

    Raises:
        ValueError: keys and values would be quantised from a later token on
            (quantized_kv_start), the model's heads cannot be quantised, or its
            vocabulary lacks a token that is named.
    """
    if options.kv_bits is not None and options.quantized_kv_start:
        raise ValueError(
            f"quantized_kv_start={options.quantized_kv_start} cannot be used in a "
            "batch, whose rows are quantised or not together; leave it out, or ask one "
            "by one"
        )
    text = model.config.text_config
    options.precision.check_head(text.size_of_head)
    if options.sampling is not None:
        options.sampling.check_vocabulary(text.vocab_size)


def _check_lengths(
    conversations: Iterable[Conversation], options: Iterable[ChatOptions]
) -> None:
    if not (isinstance(conversations, Sized) and isinstance(options, Sized)):
        return
    if len(conversations) != len(options):
        raise ValueError(
            f"there are {len(options)} options for {len(conversations)} conversations; "
            "give one for all of them, or one for each"
        )


@dataclass(frozen=True, eq=False)
class _Asked:
    """A conversation whose files were read."""

    index: int
    options: ChatOptions
    prompt: Prompt
    request: Request
    media_seconds: float


@dataclass(frozen=True, eq=False)
class _Answering:
    """What is kept of it while it is answered: no pixels."""

    options: ChatOptions
    media: tuple[MediaItem, ...]
    media_seconds: float
    said: ReplyBuilder


class _Batch:
    """One run: who is waiting, who is answered."""

    def __init__(
        self,
        model: Glm4vMoeForConditionalGeneration,
        processor: Processor,
        asked: Iterator[tuple[Conversation, ChatOptions]],
        batch_size: int,
        cache: GenerationCache,
        progress: Callable[[BatchProgress], None] | None,
        should_stop: ShouldStop | None,
    ) -> None:
        self._model = model
        self._processor = processor
        self._asked: Iterator[tuple[int, tuple[Conversation, ChatOptions]]]
        self._asked = enumerate(asked)
        # What broke it off.
        self._error: Exception | None = None
        self._batch_size = batch_size
        self._cache = cache
        self._progress = progress
        self._should_stop = should_stop
        self._markers = Markers.of(processor.tokenizer)
        self._rows = Rows(model, should_stop)
        self._answering: dict[int, _Answering] = {}
        # Read, but not to be decoded beside those at work.
        self._held: _Asked | None = None
        self._done = 0
        self._tokens = 0

    def results(self) -> Iterator[Result]:
        mx.reset_peak_memory()
        try:
            yield from self._fill()
            while self._rows:
                for said in self._rows.until_one_ends():
                    yield from self._take(said)
                    self._report()
                yield from self._fill()
            if self._error is not None:
                raise self._error
        except Cancelled:
            yield from self._take(self._rows.cancelled())

    def _fill(self) -> Iterator[Result]:
        """Gives every free row to the next conversation that can be answered."""
        while len(self._rows) < self._batch_size:
            asked, self._held = self._held, None
            if asked is None:
                try:
                    asked = self._next()
                except Cancelled:
                    raise
                except Exception as error:
                    self._error, self._asked = error, iter(())
                    return
                if asked is None:
                    return
                if not isinstance(asked, _Asked):
                    self._done += 1
                    yield asked
                    self._report()
                    continue
            if not self._rows.fits(asked.request, asked.options.precision):
                self._held = asked
                return
            self._begin(asked)
            self._report()

    def _next(self) -> _Asked | Result | None:
        """The next conversation, or why it cannot be used; None after the last."""
        taken = next(self._asked, None)
        if taken is None:
            return None
        index, (conversation, options) = taken
        try:
            check_batch_options(self._model, options)
            return self._read(index, conversation, options)
        except Cancelled:
            raise
        except (Glm45vError, ValueError) as error:
            return index, error

    def _read(
        self, index: int, conversation: Conversation, options: ChatOptions
    ) -> _Asked:
        started = time.perf_counter()
        steps = read_prompt(
            self._model,
            self._processor,
            conversation,
            options,
            continue_final_message=False,
            should_stop=self._should_stop,
        )
        while True:
            try:
                next(steps)
            except StopIteration as end:
                prompt = cast(Prompt, end.value)
                break
        request = Request(
            self._model,
            prompt,
            detokenizer=self._processor.tokenizer.detokenizer(),
            options=generation_options(self._model, self._processor, prompt, options),
            sampling=sampling_options(self._processor, options),
            markers=self._markers,
            should_stop=self._should_stop,
        )
        return _Asked(index, options, prompt, request, time.perf_counter() - started)

    def _begin(self, asked: _Asked) -> None:
        cache = self._cache.conversation(
            asked.prompt,
            rope_length=asked.request.rope_length,
            precision=asked.options.precision,
        )
        self._rows.add(
            asked.index, asked.request, asked.prompt, cache, self._cache.features
        )
        self._cache.trim()
        self._answering[asked.index] = _Answering(
            asked.options, asked.prompt.items, asked.media_seconds, ReplyBuilder()
        )

    def _take(self, said: Iterable[Said]) -> Iterator[Result]:
        for index, event in said:
            answering = self._answering[index]
            answering.said.add(with_media_seconds(event, answering.media_seconds))
            if isinstance(event, Finished):
                del self._answering[index]
                self._done += 1
                self._tokens += event.usage.generated_tokens
                reply = answering.said.build(answering.media, answering.options.tools)
                assert reply is not None  # it has finished
                yield index, reply

    def _report(self) -> None:
        if self._progress is not None:
            running = self._rows.generated
            self._progress(
                BatchProgress(self._done, len(self._rows), self._tokens + running)
            )
