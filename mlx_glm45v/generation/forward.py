"""One call of the model: embeddings and positions in, logits of the last token out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx

from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.generation.pieces import Pieces
from mlx_glm45v.model.outputs import Glm4vMoeCausalLMOutputWithPast

if TYPE_CHECKING:
    from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration


def last_logits(
    model: Glm4vMoeForConditionalGeneration,
    cache: PromptCache,
    inputs_embeds: mx.array,
    *,
    rope_length: int,
    position_ids: mx.array | None = None,
    rope_deltas: int | None = None,
    pieces: Pieces | None = None,
) -> mx.array:
    """Lazy logits (1, vocab_size) after `inputs_embeds` (1, L, hidden).

    The cache's layers take the tokens in; its `tokens` are the caller's to advance.
    Either `position_ids` (3, 1, L) are given, or tokens stand at their index plus
    `rope_deltas`. `pieces` evaluates and checks for a stop between layers.
    """
    output = model(
        inputs_embeds=inputs_embeds,
        position_ids=position_ids,
        rope_deltas=rope_deltas,
        past_key_values=cache.layers,
        logits_to_keep=1,
        rope_length=rope_length,
        on_layer=pieces,
    )
    assert isinstance(output, Glm4vMoeCausalLMOutputWithPast)
    return output.logits[:, -1]
