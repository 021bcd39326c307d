"""One prompt on its way to an answer: what is checked, counted, read and measured.

Knows what an answer alone and answers in a batch have in common. Does not know how
tokens are decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING

import mlx.core as mx

from mlx_glm45v.generation.answer import Answer, GenerationOptions
from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.generation.clock import Clock
from mlx_glm45v.generation.events import Finished, PrefillProgress, Usage
from mlx_glm45v.generation.features import FeatureCache
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.pieces import ShouldStop
from mlx_glm45v.generation.prefill import check_prompt, encode_media, prefill
from mlx_glm45v.generation.sampling import Chooser, SamplingOptions
from mlx_glm45v.generation.transcript import Detokenizer, Transcript
from mlx_glm45v.model.traffic import ExpertTraffic
from mlx_glm45v.processing.prompt import Prompt

if TYPE_CHECKING:
    from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration


class Request:
    """A prompt and how it is to be answered, its `answer` and its `clock`.

    `rope_length` is how many positions it may reach. Made without any work, in any
    thread.

    Raises:
        PromptTooLong: prompt and one token of answer do not fit the context.
        MediaError: a picture would not reach the model.
        ValueError: the prompt is empty or an option does not fit the model.
    """

    def __init__(
        self,
        model: Glm4vMoeForConditionalGeneration,
        prompt: Prompt,
        *,
        detokenizer: Detokenizer,
        options: GenerationOptions,
        sampling: SamplingOptions,
        markers: Markers,
        should_stop: ShouldStop | None = None,
        answer_now: Callable[[], bool] | None = None,
    ) -> None:
        check_prompt(prompt, model.config)
        sampling.check_vocabulary(model.config.text_config.vocab_size)
        limit = min(options.max_tokens, model.config.context_length - len(prompt))
        self._model = model
        self._step_size = options.prefill_step_size
        self._sampling = sampling
        self._should_stop = should_stop
        self._usage = Usage(
            prompt_tokens=len(prompt),
            image_tokens=prompt.tokens_of("image") + prompt.tokens_of("page"),
            video_tokens=prompt.tokens_of("video"),
        )
        self._experts: list[ExpertTraffic] = []
        self.rope_length = len(prompt) + limit
        self.clock = Clock()
        self.answer = Answer(
            Transcript(
                detokenizer, markers, options.stop, open_thinking=prompt.open_thinking
            ),
            options,
            limit=limit,
            close_ids=markers.close_ids,
            should_stop=should_stop,
            answer_now=answer_now,
        )

    def read(
        self, prompt: Prompt, cache: PromptCache, features: FeatureCache | None
    ) -> Generator[PrefillProgress, None, tuple[Chooser, mx.array]]:
        """Feeds what `cache`, which is at work on `prompt`, lacks of it.

        Returns what chooses the answer's tokens, and the evaluated logits
        (1, vocab_size) of the prompt's last token.

        Raises:
            Cancelled: `should_stop` said so.
        """
        self._usage = replace(self._usage, cached_tokens=len(cache))
        self._experts = [_traffic(self._model)]
        encoded = yield from encode_media(
            self._model,
            prompt,
            start=len(cache),
            known=features,
            should_stop=self._should_stop,
        )
        self.clock.enter("prefill")
        logits = yield from prefill(
            self._model,
            cache,
            prompt,
            encoded,
            step_size=self._step_size,
            rope_length=self.rope_length,
            should_stop=self._should_stop,
        )
        self._experts.append(_traffic(self._model))
        chooser = Chooser(
            self._sampling,
            vocab_size=self._model.config.text_config.vocab_size,
            prompt=prompt.token_ids.tolist(),
        )
        return chooser, logits

    def finished(self, *, alone: bool = True) -> Finished:
        """The last event, once the answer has ended and the clock was stopped.

        Not `alone`, experts were read for others' tokens as well and are not told of.
        """
        answer, clock = self.answer, self.clock
        usage = replace(
            self._usage,
            generated_tokens=answer.generated,
            thinking_tokens=answer.thinking_tokens,
            thinking_closed_by=answer.closed_by,
            vision_seconds=clock.seconds("vision"),
            prefill_seconds=clock.seconds("prefill"),
            decode_seconds=clock.seconds("decode"),
            time_to_first_token=clock.time_to_first_token,
            peak_memory=mx.get_peak_memory(),
        )
        source = self._model.expert_source
        if source is not None and self._experts:
            before, *between = self._experts
            first = between[0] if between else source.traffic
            usage = replace(
                usage,
                resident_experts=source.resident,
                prompt_experts=first - before,
                answer_experts=source.traffic - first if alone else None,
            )
        return Finished(answer.reason, usage)


def _traffic(model: Glm4vMoeForConditionalGeneration) -> ExpertTraffic:
    source = model.expert_source
    return ExpertTraffic() if source is None else source.traffic
