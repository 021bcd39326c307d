"""One request from prompt to events.

Knows the order of the work. Does not know messages or files. All of it runs in the
thread that iterates, and nothing lazy is left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import mlx.core as mx

from mlx_glm45v.errors import Cancelled
from mlx_glm45v.generation.answer import Answer, GenerationOptions
from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.generation.clock import Clock
from mlx_glm45v.generation.decode import Decoder
from mlx_glm45v.generation.events import Event, Finished, Usage
from mlx_glm45v.generation.features import FeatureCache
from mlx_glm45v.generation.limits import request_bytes, working_limits
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.pieces import ShouldStop
from mlx_glm45v.generation.prefill import check_prompt, encode_media, prefill
from mlx_glm45v.generation.sampling import Chooser, SamplingOptions
from mlx_glm45v.generation.transcript import Detokenizer, Transcript
from mlx_glm45v.processing.prompt import Prompt

if TYPE_CHECKING:
    from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration


def stream_prompt(
    model: Glm4vMoeForConditionalGeneration,
    prompt: Prompt,
    *,
    detokenizer: Detokenizer,
    options: GenerationOptions,
    sampling: SamplingOptions,
    markers: Markers,
    should_stop: ShouldStop | None = None,
    answer_now: Callable[[], bool] | None = None,
    cache: PromptCache | None = None,
    features: FeatureCache | None = None,
) -> Iterator[Event]:
    """Answers `prompt`: progress, then text, then one `Finished`.

    `should_stop` and `answer_now` are asked again and again in the iterating thread and
    may read a flag that another thread sets. The first ends the answer with reason
    "cancelled" after the piece of work at hand; the second closes thinking as an
    exhausted budget does, from then on. `cache` and `features` are the caller's to keep
    (default: for this request): what `cache` holds of the prompt is not computed again,
    and pictures in `features` are not encoded again. Closing the iterator leaves both
    consistent.

    Raises, when called and before any work:
        PromptTooLong: prompt and one token of answer do not fit the context.
        MediaError: a picture would not reach the model.
        ValueError: the prompt is empty or an option does not fit the model.
    """
    check_prompt(prompt, model.config)
    vocab_size = model.config.text_config.vocab_size
    limit = min(options.max_tokens, model.config.context_length - len(prompt))
    sampling.check_vocabulary(vocab_size)
    answer = Answer(
        Transcript(
            detokenizer, markers, options.stop, open_thinking=prompt.open_thinking
        ),
        options,
        limit=limit,
        close_ids=markers.close_ids,
        should_stop=should_stop,
        answer_now=answer_now,
    )

    def events() -> Iterator[Event]:
        mx.reset_peak_memory()
        clock = Clock()
        try:
            yield from work(clock, PromptCache(model) if cache is None else cache)
        except Cancelled:
            answer.reason = "cancelled"
        clock.stop()
        yield from answer.rest()
        yield Finished(answer.reason, _usage(prompt, answer, clock))

    def work(clock: Clock, cache: PromptCache) -> Iterator[Event]:
        rope_length = len(prompt) + limit
        resident = request_bytes(model.config.text_config, tokens=rope_length)
        with (
            working_limits(resident),
            cache.working(prompt, rope_length=rope_length) as answer.cached,
        ):
            encoded = yield from encode_media(
                model,
                prompt,
                start=answer.cached,
                known=features,
                should_stop=should_stop,
            )
            clock.enter("prefill")
            logits = yield from prefill(
                model,
                cache,
                prompt,
                encoded,
                step_size=options.prefill_step_size,
                rope_length=rope_length,
                should_stop=should_stop,
            )
            del encoded
            choose = Chooser(
                sampling, vocab_size=vocab_size, prompt=prompt.token_ids.tolist()
            )
            decoder = Decoder(model, cache, choose, logits, rope_length=rope_length)
            yield from answer.deltas(decoder, clock)

    return events()


def _usage(prompt: Prompt, answer: Answer, clock: Clock) -> Usage:
    return Usage(
        prompt_tokens=len(prompt),
        image_tokens=prompt.tokens_of("image") + prompt.tokens_of("page"),
        video_tokens=prompt.tokens_of("video"),
        cached_tokens=answer.cached,
        generated_tokens=answer.generated,
        thinking_tokens=answer.thinking_tokens,
        thinking_closed_by=answer.closed_by,
        vision_seconds=clock.seconds("vision"),
        prefill_seconds=clock.seconds("prefill"),
        decode_seconds=clock.seconds("decode"),
        time_to_first_token=clock.time_to_first_token,
        peak_memory=mx.get_peak_memory(),
    )
