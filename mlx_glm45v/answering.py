"""Messages in, one answer's events out.

Brings messages and the engine together. Does not know conversations of several turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence

from mlx_glm45v.errors import Cancelled
from mlx_glm45v.generation.events import Event, Finished, Usage
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.reuse import GenerationCache
from mlx_glm45v.generation.stream import stream_prompt
from mlx_glm45v.messages import Message
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

_TRIM_EVERY = 64  # events


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
    for event in answer_messages(
        model,
        processor,
        messages,
        options,
        continue_final_message=continue_final_message,
        should_stop=should_stop,
        answer_now=answer_now,
        cache=GenerationCache(model) if cache is None else cache,
    ):
        if not isinstance(event, Prompt):
            yield event


def answer_messages(
    model: Glm4vMoeForConditionalGeneration,
    processor: Processor,
    messages: Sequence[Message],
    options: ChatOptions,
    *,
    continue_final_message: bool,
    should_stop: Callable[[], bool] | None,
    answer_now: Callable[[], bool] | None,
    cache: GenerationCache,
) -> Generator[Event | Prompt, None, None]:
    """The same, and among the events the prompt, once its files are read."""
    started = time.perf_counter()
    try:
        prompt = yield from read_prompt(
            model, processor, messages, options, continue_final_message, should_stop
        )
    except Cancelled:
        yield Finished("cancelled", Usage())
        return
    media_seconds = time.perf_counter() - started
    yield prompt
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
