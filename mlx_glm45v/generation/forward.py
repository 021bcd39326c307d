"""One call of the model: embeddings and positions in, logits of the last token out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx

from mlx_glm45v.generation.pieces import Pieces
from mlx_glm45v.model.outputs import Cache, Glm4vMoeCausalLMOutputWithPast

if TYPE_CHECKING:
    from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration


def last_logits(
    model: Glm4vMoeForConditionalGeneration,
    layers: Cache,
    inputs_embeds: mx.array,
    *,
    rope_length: int,
    position_ids: mx.array | None = None,
    rope_deltas: int | mx.array | None = None,
    pieces: Pieces | None = None,
) -> mx.array:
    """Lazy logits (B, vocab_size) after `inputs_embeds` (B, L, hidden).

    `layers` are mlx-lm's caches and take the tokens in. Either `position_ids`
    (3, B, L) are given, or tokens stand at their index plus `rope_deltas`, an int or
    (B,). `pieces` evaluates and checks for a stop between layers.
    """
    output = model(
        inputs_embeds=inputs_embeds,
        position_ids=position_ids,
        rope_deltas=rope_deltas,
        past_key_values=layers,
        logits_to_keep=1,
        rope_length=rope_length,
        on_layer=pieces,
    )
    assert isinstance(output, Glm4vMoeCausalLMOutputWithPast)
    return output.logits[:, -1]
