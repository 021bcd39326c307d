"""One request from prompt to events.

Knows the order of the work. Does not know messages or files. All of it runs in the
thread that iterates, and nothing lazy is left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import mlx.core as mx

from mlx_glm45v.errors import Cancelled
from mlx_glm45v.generation.answer import GenerationOptions
from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.generation.clock import Clock
from mlx_glm45v.generation.decode import Decoder
from mlx_glm45v.generation.events import Event
from mlx_glm45v.generation.features import FeatureCache
from mlx_glm45v.generation.limits import kv_bytes, working_limits
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.pieces import ShouldStop
from mlx_glm45v.generation.request import Request
from mlx_glm45v.generation.sampling import SamplingOptions
from mlx_glm45v.generation.transcript import Detokenizer
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

    Raises, before any work:
        PromptTooLong: prompt and one token of answer do not fit the context.
        MediaError: a picture would not reach the model.
        ValueError: the prompt is empty or an option does not fit the model.
        ConversationInUse: with the first event: the last answer on `cache` was neither
            read to its end nor closed.
    """
    request = Request(
        model,
        prompt,
        detokenizer=detokenizer,
        options=options,
        sampling=sampling,
        markers=markers,
        should_stop=should_stop,
        answer_now=answer_now,
    )

    def events() -> Iterator[Event]:
        request.clock = Clock()
        try:
            yield from work(PromptCache(model) if cache is None else cache)
        except Cancelled:
            request.answer.reason = "cancelled"
        request.clock.stop()
        yield from request.answer.rest()
        yield request.finished()

    def work(cache: PromptCache) -> Iterator[Event]:
        rope_length = request.rope_length
        added = kv_bytes(model.config.text_config, tokens=rope_length)
        with (
            cache.working(prompt, rope_length=rope_length),
            working_limits(added),
        ):
            mx.reset_peak_memory()
            choose, logits = yield from request.read(prompt, cache, features)
            decoder = Decoder(model, cache, choose, logits, rope_length=rope_length)
            yield from request.answer.deltas(decoder, request.clock)

    return events()
