"""Routers overheard: what each layer of a model chooses, and what it would guess next.

Needs a model whose experts are resident.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from benchmarks.offload_routings import Routing
from mlx_glm45v.model.experts import Glm4vMoeTextMoE
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration


class _Overheard(nn.Module):
    """A router that keeps what went in and which experts came out."""

    def __init__(self, router: nn.Module) -> None:
        super().__init__()
        self.router = router
        self.heard: list[tuple[mx.array, mx.array]] = []

    def __call__(self, x: mx.array) -> tuple[mx.array, mx.array, mx.array]:
        logits, weights, indices = self.router(x)
        self.heard.append((x, indices))
        return logits, weights, indices


class Listener:
    """Puts itself into the model's routers; the model's results stay the same."""

    def __init__(self, model: Glm4vMoeForConditionalGeneration) -> None:
        self._model = model
        self._layers = [
            layer
            for layer in model.language_model.model.layers
            if isinstance(layer.mlp, Glm4vMoeTextMoE)
        ]
        for layer in self._layers:
            layer.mlp.gate = _Overheard(layer.mlp.gate)

    def run(self, input_ids: mx.array, **inputs: Any) -> tuple[Routing, Routing]:
        """One pass over (1, L) tokens: what was chosen and what was guessed.

        Both (L, layers, chosen), guesses with the surest first; the first layer's is
        -1.
        """
        mx.eval(self._model(input_ids, **inputs).logits)
        heard = [layer.mlp.gate.heard.pop() for layer in self._layers]
        routing = [_tokens(indices) for _, indices in heard]
        guesses = [np.full_like(routing[0], -1)]
        for (own, following), (x, _) in zip(
            pairwise(self._layers), heard, strict=False
        ):
            # The residual as the next layer's norm would show it to its router.
            weight = own.post_attention_layernorm.weight
            factor = following.post_attention_layernorm.weight / weight
            _, weights, indices = following.mlp.gate.router(x * factor)
            surest = mx.argsort(-weights, axis=-1)
            guesses.append(_tokens(mx.take_along_axis(indices, surest, axis=-1)))
        return np.stack(routing, 1), np.stack(guesses, 1)


def _tokens(indices: mx.array) -> Routing:
    return np.array(indices).reshape(-1, indices.shape[-1]).astype(np.int32)
