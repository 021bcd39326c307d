"""How to answer, and the way from messages to what the engine takes.

Shared by conversations and batches. Knows options, files' reading and the checkpoint's
defaults. Does not know how an answer is decoded or kept.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlx_glm45v.errors import PromptTooLong
from mlx_glm45v.generation.answer import GenerationOptions
from mlx_glm45v.generation.cache import KVPrecision
from mlx_glm45v.generation.events import Event, Finished, PrefillProgress
from mlx_glm45v.generation.sampling import SamplingOptions
from mlx_glm45v.messages import Message
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from mlx_glm45v.processing.processor import Processor
from mlx_glm45v.processing.prompt import Prompt


@dataclass(frozen=True)
class ChatOptions:
    """How to answer; the defaults are the checkpoint's own.

    `thinking` switches thinking mode (None: the template's default); `thinking_budget`
    closes it after so many tokens and lets the answer follow. `max_tokens` counts
    thinking and answer; `context_length` lowers what prompt and answer may have
    together. `sampling` None means the checkpoint's generation_config.
    `tools` are JSON schemas of functions the model may call. `stop` strings end the
    answer. `prefill_step_size` is the most prompt tokens computed at once (None: 2048,
    or with streamed experts what memory allows).
    `kv_bits` (4 or 8) keeps keys and values quantised from token `quantized_kv_start`
    on. A block of tokens that repeats over `repetition_run` tokens or more (0: however
    many) closes thinking, and ends an answer with reason "repetition".
    """

    thinking: bool | None = None
    thinking_budget: int | None = None
    max_tokens: int = 16_384
    context_length: int | None = None
    sampling: SamplingOptions | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    stop: tuple[str, ...] = ()
    prefill_step_size: int | None = None
    kv_bits: int | None = None
    quantized_kv_start: int = 0
    repetition_run: int = 256

    def __post_init__(self) -> None:
        # A value out of range is told here, not after files were read.
        self.generation(frozenset())
        _ = self.precision
        if self.context_length is not None and self.context_length < 1:
            raise ValueError(
                f"context_length must be at least 1, not {self.context_length}"
            )

    def generation(self, eos_token_ids: frozenset[int]) -> GenerationOptions:
        """The part that the engine takes.

        Raises:
            ValueError: a value is outside its range; the message names the field.
        """
        return GenerationOptions(
            max_tokens=self.max_tokens,
            stop=self.stop,
            eos_token_ids=eos_token_ids,
            thinking_budget=self.thinking_budget,
            prefill_step_size=self.prefill_step_size,
            repetition_run=self.repetition_run,
        )

    @property
    def precision(self) -> KVPrecision:
        """How keys and values are kept."""
        return KVPrecision(self.kv_bits, self.quantized_kv_start)


DEFAULT_OPTIONS = ChatOptions()


def read_prompt(
    model: Glm4vMoeForConditionalGeneration,
    processor: Processor,
    messages: Sequence[Message],
    options: ChatOptions,
    continue_final_message: bool,
    should_stop: Callable[[], bool] | None,
) -> Generator[PrefillProgress, None, Prompt]:
    """Renders `messages` and reads their files; reports media done.

    Raises:
        MediaError: a picture, video or document cannot be used.
        PromptTooLong: the prompt cannot fit what `options` and the model allow.
        CheckpointError: the chat template refuses the messages.
        ValueError: there are no messages.
        Cancelled: `should_stop` said so.
    """
    steps = processor.prompt_steps(
        messages,
        tools=options.tools,
        thinking=options.thinking,
        continue_final_message=continue_final_message,
        context_length=context_length(model, options),
        should_stop=should_stop,
    )
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            return end.value
        yield PrefillProgress("media", done, total)


def context_length(
    model: Glm4vMoeForConditionalGeneration, options: ChatOptions
) -> int:
    """The most tokens that prompt and answer may have together."""
    longest = model.config.context_length
    return min(options.context_length or longest, longest)


def generation_options(
    model: Glm4vMoeForConditionalGeneration,
    processor: Processor,
    prompt: Prompt,
    options: ChatOptions,
) -> GenerationOptions:
    """What the engine is told about the answer to `prompt`.

    Raises:
        PromptTooLong: prompt and one token of answer do not fit.
    """
    longest = context_length(model, options)
    room = longest - len(prompt)
    if room < 1:
        raise PromptTooLong(
            f"the prompt has {len(prompt)} tokens, but {longest} are all that prompt "
            "and answer may have; give fewer or smaller media or drop earlier turns"
        )
    ends = _end_ids(processor.generation_config.get("eos_token_id"), model)
    engine = options.generation(ends)
    return replace(engine, max_tokens=min(engine.max_tokens, room))


def sampling_options(processor: Processor, options: ChatOptions) -> SamplingOptions:
    """The options' own sampling, else the checkpoint's."""
    if options.sampling is not None:
        return options.sampling
    return SamplingOptions.from_generation_config(processor.generation_config)


def with_media_seconds(event: Event, seconds: float) -> Event:
    """A person waits for the files to be read, too."""
    if not isinstance(event, Finished):
        return event
    usage = replace(
        event.usage,
        media_seconds=seconds,
        time_to_first_token=event.usage.time_to_first_token + seconds,
    )
    return replace(event, usage=usage)


def _end_ids(
    configured: int | Sequence[int] | None, model: Glm4vMoeForConditionalGeneration
) -> frozenset[int]:
    ids = configured
    if ids is None:
        ids = model.config.text_config.eos_token_id
    if ids is None:
        return frozenset()
    return frozenset([ids] if isinstance(ids, int) else ids)
