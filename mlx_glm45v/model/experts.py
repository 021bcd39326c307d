"""Feed-forward layers of the decoder: the dense MLP, the router and the experts.

The router works in float32 whatever the model's dtype: in bfloat16 it would choose
other experts. Loading therefore keeps `mlp.gate`'s weight and bias in float32.
"""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.models.switch_layers import SwitchLinear

from ..config import Glm4vMoeTextConfig
from .activations import gated
from .kernels import one_kernel

# As in mlx-lm: fewer tokens are not worth the sorting.
_SORTED_FROM = 64


@one_kernel
def _scores(logits: mx.array, bias: mx.array) -> tuple[mx.array, mx.array]:
    """What an expert counts with, and what it is ranked by."""
    scores = mx.sigmoid(logits)
    return scores, scores + bias


@one_kernel
def _shares(weights: mx.array, total: mx.array) -> mx.array:
    return weights / (total + 1e-20)


@one_kernel
def _weighted(out: mx.array, weights: mx.array) -> mx.array:
    return out * weights


@one_kernel
def _added(routed: mx.array, shared: mx.array) -> mx.array:
    return routed.astype(shared.dtype) + shared


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
        if "gate_up_proj" in self:
            gate, up = mx.split(self["gate_up_proj"](x), 2, axis=-1)
        else:
            gate, up = self.gate_proj(x), self.up_proj(x)
        return self.down_proj(self._gated(up, gate))


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
        bias = self.e_score_correction_bias.astype(mx.float32)
        scores, ranked = _scores(logits, bias)
        if self._kept_groups < self._groups:
            ranked = self._limit_groups(ranked)
        others = ranked.shape[-1] - self._top_k
        order = mx.argpartition(ranked, kth=others, axis=-1)
        indices = mx.split(order, [others], axis=-1)[1]
        weights = mx.take_along_axis(scores, indices, axis=-1)
        if self._normalise:
            weights = _shares(weights, weights.sum(axis=-1, keepdims=True))
        if self._scale != 1.0:
            weights = weights * self._scale
        return logits, weights, indices

    def _limit_groups(self, ranked: mx.array) -> mx.array:
        """Rule out whole groups by the sum of their two best scores."""
        grouped = mx.unflatten(ranked, -1, (self._groups, -1))
        best = mx.topk(grouped, 2, axis=-1).sum(axis=-1)
        dropped = self._groups - self._kept_groups
        worst = mx.argpartition(best, kth=dropped - 1, axis=-1)[..., :dropped, None]
        out = mx.array(-mx.inf, dtype=ranked.dtype)
        return mx.flatten(mx.put_along_axis(grouped, worst, out, axis=-2), -2, -1)


class Glm4vMoeTextExperts(nn.Module):
    """The routed experts' gated MLPs, stacked."""

    def __init__(self, config: Glm4vMoeTextConfig) -> None:
        super().__init__()
        hidden, wide = config.hidden_size, config.moe_intermediate_size
        count = config.n_routed_experts
        self.gate_proj = SwitchLinear(hidden, wide, count, bias=False)
        self.up_proj = SwitchLinear(hidden, wide, count, bias=False)
        self.down_proj = SwitchLinear(wide, hidden, count, bias=False)
        self._gated = gated(config.hidden_act)

    def __call__(self, x: mx.array, indices: mx.array) -> mx.array:
        """(..., hidden) and indices (..., top_k) -> (..., top_k, hidden)."""
        if indices.size < _SORTED_FROM:
            return self._apply(mx.expand_dims(x, (-2, -3)), indices).squeeze(-2)
        # One expert's tokens side by side are what the kernels of prompts are fast at.
        top_k = indices.shape[-1]
        flat = indices.flatten()
        order = mx.argsort(flat)
        rows = x.reshape(-1, 1, x.shape[-1])[order // top_k]
        out = self._apply(rows, flat[order], in_order=True)
        return out[mx.argsort(order)].reshape(*indices.shape, -1)

    def _apply(
        self, x: mx.array, indices: mx.array, *, in_order: bool = False
    ) -> mx.array:
        """(..., 1, hidden) through the expert that the index beside it names."""
        if "gate_up_proj" in self:
            both = self["gate_up_proj"](x, indices, sorted_indices=in_order)
            gate, up = mx.split(both, 2, axis=-1)
        else:
            gate = self.gate_proj(x, indices, sorted_indices=in_order)
            up = self.up_proj(x, indices, sorted_indices=in_order)
        return self.down_proj(self._gated(up, gate), indices, sorted_indices=in_order)


class Glm4vMoeTextMoE(nn.Module):
    """Routed experts plus the shared ones, if any."""

    def __init__(self, config: Glm4vMoeTextConfig) -> None:
        super().__init__()
        self.gate = Glm4vMoeTextTopkRouter(config)
        self.switch_mlp = Glm4vMoeTextExperts(config)
        if config.n_shared_experts:
            width = config.moe_intermediate_size * config.n_shared_experts
            self.shared_experts = Glm4vMoeTextMLP(config, width)

    def __call__(self, x: mx.array) -> tuple[mx.array, mx.array]:
        """(B, L, hidden) -> the same, and the router's logits (B, L, experts)."""
        logits, weights, indices = self.gate(x)
        out = self.switch_mlp(x, indices)
        out = _weighted(out, mx.expand_dims(weights, -1)).sum(axis=-2)
        if "shared_experts" in self:
            return _added(out, self.shared_experts(x)), logits
        return out.astype(x.dtype), logits
