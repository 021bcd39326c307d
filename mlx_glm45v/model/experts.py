"""Feed-forward layers of the decoder: the dense MLP, the router and the experts.

The router works in float32 whatever the model's dtype: in bfloat16 it would choose
other experts. Loading therefore keeps `mlp.gate`'s weight and bias in float32.
"""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.models.switch_layers import SwitchGLU

from ..config import Glm4vMoeTextConfig
from .activations import gated


class Glm4vMoeTextMLP(nn.Module):
    """The gated MLP of dense layers and of the shared experts."""

    def __init__(self, config: Glm4vMoeTextConfig, intermediate_size: int) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.gate_proj = nn.Linear(hidden, intermediate_size, bias=False)
        self.up_proj = nn.Linear(hidden, intermediate_size, bias=False)
        self.down_proj = nn.Linear(intermediate_size, hidden, bias=False)
        self._gated = gated(config.hidden_act)

    def __call__(self, x: mx.array) -> mx.array:
        return self.down_proj(self._gated(self.up_proj(x), self.gate_proj(x)))


class Glm4vMoeTextTopkRouter(nn.Module):
    """Chooses `num_experts_per_tok` experts for each token.

    Source: transformers' `Glm4vMoeTextTopkRouter` (sigmoid scores as in DeepSeek-V3,
    arXiv 2412.19437): the correction bias counts for choosing only.
    """

    def __init__(self, config: Glm4vMoeTextConfig) -> None:
        super().__init__()
        experts = config.n_routed_experts
        self.weight = mx.zeros((experts, config.hidden_size))
        self.e_score_correction_bias = mx.zeros((experts,))
        self._top_k = config.num_experts_per_tok
        self._groups, self._kept_groups = config.n_group, config.topk_group
        self._normalise = config.norm_topk_prob
        self._scale = config.routed_scaling_factor

    def __call__(self, x: mx.array) -> tuple[mx.array, mx.array, mx.array]:
        """(..., hidden) -> logits (..., experts), weights and indices (..., top_k).

        Logits and weights are float32; indices come in no particular order.
        """
        logits = x.astype(mx.float32) @ self.weight.astype(mx.float32).T
        scores = mx.sigmoid(logits)
        ranked = scores + self.e_score_correction_bias.astype(mx.float32)
        if self._kept_groups < self._groups:
            ranked = self._limit_groups(ranked)
        top = self._top_k
        indices = mx.argpartition(-ranked, kth=top - 1, axis=-1)[..., :top]
        weights = mx.take_along_axis(scores, indices, axis=-1)
        if self._normalise:
            weights = weights / (weights.sum(axis=-1, keepdims=True) + 1e-20)
        return logits, weights * self._scale, indices

    def _limit_groups(self, ranked: mx.array) -> mx.array:
        """Rule out whole groups by the sum of their two best scores."""
        grouped = mx.unflatten(ranked, -1, (self._groups, -1))
        best = mx.topk(grouped, 2, axis=-1).sum(axis=-1)
        dropped = self._groups - self._kept_groups
        worst = mx.argpartition(best, kth=dropped - 1, axis=-1)[..., :dropped, None]
        out = mx.array(-mx.inf, dtype=ranked.dtype)
        return mx.flatten(mx.put_along_axis(grouped, worst, out, axis=-2), -2, -1)


class Glm4vMoeTextMoE(nn.Module):
    """Routed experts (mlx-lm's `SwitchGLU`) plus the shared ones, if any."""

    def __init__(self, config: Glm4vMoeTextConfig) -> None:
        super().__init__()
        self.gate = Glm4vMoeTextTopkRouter(config)
        self.switch_mlp = SwitchGLU(
            config.hidden_size,
            config.moe_intermediate_size,
            config.n_routed_experts,
            activation=gated(config.hidden_act),
        )
        if config.n_shared_experts:
            width = config.moe_intermediate_size * config.n_shared_experts
            self.shared_experts = Glm4vMoeTextMLP(config, width)

    def __call__(self, x: mx.array) -> tuple[mx.array, mx.array]:
        """(B, L, hidden) -> the same, and the router's logits (B, L, experts)."""
        logits, weights, indices = self.gate(x)
        out = self.switch_mlp(x, indices)
        out = (out * weights[..., None]).sum(axis=-2).astype(x.dtype)
        if "shared_experts" in self:
            out = out + self.shared_experts(x)
        return out, logits
