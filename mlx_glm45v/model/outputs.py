"""What a forward pass returns, with transformers' field names.

Values only: every array is as lazy as the graph that made it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import mlx.core as mx

Cache = list[Any]  # one mlx-lm cache for each decoder layer


@dataclass(frozen=True, kw_only=True)
class ModelOutput:
    """Base of the outputs: `to_tuple()` is what `return_dict=False` gives."""

    def to_tuple(self) -> tuple[Any, ...]:
        """The fields that are set, in their order."""
        values = (getattr(self, item.name) for item in fields(self))
        return tuple(value for value in values if value is not None)


@dataclass(frozen=True, kw_only=True)
class Glm4vMoeModelOutputWithPast(ModelOutput):
    """The decoder's states before the head.

    `last_hidden_state` (B, L, hidden) is normed. `hidden_states` holds the embeddings
    and each layer's output, the last one normed; `attentions` one (B, heads, L, T) a
    layer; `router_logits` one (B * L, experts) float32 a layer with experts.
    `rope_deltas` (B,) is what the cache's length lacks to the next position.
    """

    last_hidden_state: mx.array
    past_key_values: Cache | None = None
    hidden_states: tuple[mx.array, ...] | None = None
    attentions: tuple[mx.array, ...] | None = None
    rope_deltas: mx.array | None = None
    router_logits: tuple[mx.array, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Glm4vMoeCausalLMOutputWithPast(ModelOutput):
    """Logits (B, kept positions, vocabulary) and what led to them.

    `loss` is the plain next-token cross entropy, without the auxiliary loss that the
    reference adds when router logits are asked for.
    """

    loss: mx.array | None = None
    logits: mx.array
    past_key_values: Cache | None = None
    hidden_states: tuple[mx.array, ...] | None = None
    attentions: tuple[mx.array, ...] | None = None
    rope_deltas: mx.array | None = None
    router_logits: tuple[mx.array, ...] | None = None
