"""How the next token is chosen from logits.

Knows penalties, filters and seeds. Does not know the model, text or when to stop.
mlx-lm is imported where it is needed: its import takes seconds, and a command line
wants these options' defaults at once.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx

LogitsProcessor = Callable[[mx.array, mx.array], mx.array]


@dataclass(frozen=True)
class SamplingOptions:
    """How random the answer is, and what it should avoid.

    `temperature` 0 takes the likeliest token. `top_p`, `top_k` and `min_p` filter the
    distribution before the temperature is applied, as mlx-lm does; 1, 0 and 0 switch
    them off. Penalties look at the last `penalty_context` tokens of prompt and answer;
    1 and 0 switch them off. `logit_bias` adds to the logits of token ids. Two runs
    with one `seed` choose alike; None draws a new one.

    Raises:
        ValueError: a value is outside its range; the message names the field.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    penalty_context: int = 64
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int | None = None

    def __post_init__(self) -> None:
        _require("temperature", self.temperature, self.temperature >= 0.0, "0 or more")
        _require("top_p", self.top_p, 0.0 < self.top_p <= 1.0, "over 0, at most 1")
        _require("top_k", self.top_k, self.top_k >= 0, "0 or more")
        _require("min_p", self.min_p, 0.0 <= self.min_p <= 1.0, "between 0 and 1")
        _require(
            "repetition_penalty",
            self.repetition_penalty,
            self.repetition_penalty > 0.0,
            "over 0 (1 is none)",
        )
        for name, value in (
            ("presence_penalty", self.presence_penalty),
            ("frequency_penalty", self.frequency_penalty),
        ):
            _require(name, value, True, "finite")
        _require(
            "penalty_context", self.penalty_context, self.penalty_context > 0, "over 0"
        )
        for token, bias in self.logit_bias.items():
            if token < 0 or math.isnan(bias):
                raise ValueError(
                    f"logit_bias maps token ids (0 or more) to numbers, "
                    f"not {token} to {bias}"
                )
        if self.seed is not None and not 0 <= self.seed < 2**64:
            raise ValueError(f"seed must be between 0 and 2**64 - 1, not {self.seed}")

    @classmethod
    def from_generation_config(cls, config: Mapping[str, Any]) -> SamplingOptions:
        """A checkpoint's own defaults, from its generation_config.json.

        Without `do_sample` the likeliest token is taken, as `transformers` does; an
        absent temperature is 1 and an absent filter is off.

        Raises:
            ValueError: a value is outside its range; the message names the field.
        """

        def number(key: str, default: float) -> float:
            value = config.get(key)
            return default if value is None else value

        sampled = bool(config.get("do_sample", False))
        return cls(
            temperature=number("temperature", 1.0) if sampled else 0.0,
            top_p=number("top_p", 1.0) if sampled else 1.0,
            top_k=int(number("top_k", 0)) if sampled else 0,
            min_p=number("min_p", 0.0) if sampled else 0.0,
            repetition_penalty=number("repetition_penalty", 1.0),
        )

    def check_vocabulary(self, vocab_size: int) -> None:
        """Raises ValueError when an option names a token that does not exist."""
        for token in self.logit_bias:
            if token >= vocab_size:
                raise ValueError(
                    f"logit_bias names token {token}; "
                    f"the vocabulary ends at {vocab_size - 1}"
                )


class Chooser:
    """Chooses tokens one by one for one answer; holds its penalties' memory and seed.

    Nothing is evaluated and mlx's global random state stays untouched: two answers
    generated in turns do not influence each other.
    """

    def __init__(
        self, options: SamplingOptions, *, vocab_size: int, prompt: Sequence[int]
    ) -> None:
        options.check_vocabulary(vocab_size)
        self._context = options.penalty_context
        self._processors = _processors(options)
        # Penalties look back at this much; kept as one short array on the device, so
        # that a step neither waits for a token nor copies the whole prompt.
        self._recent = mx.array(list(prompt[-self._context :]), dtype=mx.int32)
        self._filters = _filters(options, vocab_size)
        # A single candidate needs no draw (GLM-4.5V's own defaults say top_k 1).
        self._greedy = options.temperature == 0.0 or options.top_k == 1
        self._temperature = options.temperature
        seed = secrets.randbits(64) if options.seed is None else options.seed
        self._key = mx.random.key(seed)

    @property
    def takes_likeliest(self) -> bool:
        """Whether it does no more than that, so that several may choose at once."""
        return self._greedy and not self._processors

    def __call__(self, logits: mx.array) -> mx.array:
        """The next token, (1,) lazily, from logits (1, vocab_size)."""
        if self._processors:
            # Some of mlx-lm's processors write into what they are given.
            logits = mx.array(logits)
        for process in self._processors:
            logits = process(self._recent, logits)
        if self._greedy:
            return mx.argmax(logits, axis=-1)
        logits = logits.astype(mx.float32)
        logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
        for narrow in self._filters:
            logprobs = narrow(logprobs)
        self._key, draw = mx.random.split(self._key)
        return mx.random.categorical(logprobs / self._temperature, key=draw)

    def saw(self, tokens: mx.array) -> None:
        """Remembers `tokens` (n,) as part of the answer, for the penalties."""
        if self._processors:
            joined = mx.concatenate([self._recent, tokens.astype(mx.int32)])
            self._recent = joined[-self._context :]


def _processors(options: SamplingOptions) -> list[LogitsProcessor]:
    if not (
        options.logit_bias
        or options.repetition_penalty != 1.0
        or options.presence_penalty
        or options.frequency_penalty
    ):
        return []
    from mlx_lm.sample_utils import make_logits_processors

    context = options.penalty_context
    repetition = options.repetition_penalty
    return make_logits_processors(
        logit_bias=dict(options.logit_bias),
        repetition_penalty=None if repetition == 1.0 else repetition,
        repetition_context_size=context,
        presence_penalty=options.presence_penalty,
        presence_context_size=context,
        frequency_penalty=options.frequency_penalty,
        frequency_context_size=context,
    )


def _filters(
    options: SamplingOptions, vocab_size: int
) -> list[Callable[[mx.array], mx.array]]:
    """mlx-lm's filters in its order; the draw is ours, because theirs is global."""
    filters: list[Callable[[mx.array], mx.array]] = []
    if options.temperature == 0.0:
        return filters
    from mlx_lm.sample_utils import apply_min_p, apply_top_k, apply_top_p

    if options.top_p < 1.0:
        filters.append(lambda logprobs: apply_top_p(logprobs, options.top_p))
    if options.min_p > 0.0:
        filters.append(lambda logprobs: apply_min_p(logprobs, options.min_p))
    if 1 < options.top_k < vocab_size:
        filters.append(lambda logprobs: apply_top_k(logprobs, options.top_k))
    return filters


def _require(name: str, value: float, holds: bool, rule: str) -> None:
    if not (holds and math.isfinite(value)):
        raise ValueError(f"{name} must be {rule}, not {value}")
