"""What a generation reports while it runs, as plain values.

Safe to send to other threads and processes: nothing here holds an mlx array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlx_glm45v.model.traffic import ExpertTraffic

Channel = Literal["thinking", "answer", "tool"]
Stage = Literal["media", "vision", "prompt"]
# "repetition": the answer said one thing over and over.
FinishReason = Literal["stop", "length", "cancelled", "repetition"]

ClosedBy = Literal["budget", "request", "repetition"]


@dataclass(frozen=True)
class PrefillProgress:
    """Work before the first token.

    `stage` "media" counts files read and resized, "vision" counts patches encoded,
    "prompt" counts prompt tokens processed (cached ones included from the start).
    """

    stage: Stage
    done: int
    total: int


@dataclass(frozen=True)
class TextDelta:
    """New text, free of the model's markers.

    `boxed` tells that the text stood between `<|begin_of_box|>` and `<|end_of_box|>`.
    Channel "tool" carries the inside of `<tool_call>` elements, one delta each, whole;
    one that the end cut short arrives as far as it came.
    """

    channel: Channel
    text: str
    boxed: bool = False


@dataclass(frozen=True)
class Usage:
    """Counts of tokens, seconds of work, and the peak of mlx's active memory in bytes.

    `image_tokens` include document pages. `generated_tokens` include the end token and
    a forced end of thinking; `thinking_closed_by` says what forced it: the budget, a
    request to answer now, or a loop. `cached_tokens` of the prompt were not computed
    again. Seconds are wall time: vision, prefill up to the first
    token, decoding from there to the end, the event reader's own time included. Where
    experts are read when they are chosen, `resident_experts` is the part of their bytes
    that has room in memory; `prompt_experts` and `answer_experts` say what was read up
    to the first token and after it. In a batch, where answers share what is read, the
    second is None.
    """

    prompt_tokens: int = 0
    image_tokens: int = 0
    video_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    thinking_tokens: int = 0
    thinking_closed_by: ClosedBy | None = None
    media_seconds: float = 0.0
    vision_seconds: float = 0.0
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0
    time_to_first_token: float = 0.0
    peak_memory: int = 0
    resident_experts: float | None = None
    prompt_experts: ExpertTraffic | None = None
    answer_experts: ExpertTraffic | None = None

    @property
    def expert_bytes_per_token(self) -> float:
        """Bytes of experts read for a token of the answer after the first."""
        if self.answer_experts is None:
            return 0.0
        return self.answer_experts.bytes_read / max(1, self.generated_tokens - 1)

    @property
    def tokens_per_second(self) -> float:
        """Rate of decoding; 0.0 before the second token."""
        if self.decode_seconds <= 0 or self.generated_tokens < 2:
            return 0.0
        return (self.generated_tokens - 1) / self.decode_seconds


@dataclass(frozen=True)
class Finished:
    """The end: why, and what it took."""

    reason: FinishReason
    usage: Usage


Event = PrefillProgress | TextDelta | Finished
