"""Feed-forward layers of the decoder: the dense MLP, the router and the experts.

The router works in float32 whatever the model's dtype: in bfloat16 it would choose
other experts. Loading therefore keeps `mlp.gate`'s weight and bias in float32.

What each token runs through is taken from modules as `self["name"]`, like in MLX's own
layers: `self.name` is looked up in three places first.
"""

from __future__ import annotations

from functools import lru_cache

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.models.switch_layers import QuantizedSwitchLinear, SwitchLinear

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
        return self["down_proj"](self._gated(gate, up))


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
        logits = x.astype(mx.float32) @ self["weight"].astype(mx.float32).T
        bias = self["e_score_correction_bias"].astype(mx.float32)
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
        top_k, count = indices.shape[-1], indices.size
        tokens, experts = x.reshape(-1, 1, x.shape[-1]), indices.flatten()
        if count < _SORTED_FROM:
            of_token, own = _rows(count, top_k)
            both = self._gate_and_up(tokens, experts, rows=of_token)
            out = _product(self["down_proj"], self._gated(*both), experts, rows=own)
        else:
            # One expert's tokens side by side: what the kernels are fast at.
            order = mx.argsort(experts)
            out = self.in_order(tokens[order // top_k], experts[order])
            out = out[mx.argsort(order)]
        return out.reshape(*indices.shape, -1)

    def in_order(self, rows: mx.array, experts: mx.array) -> mx.array:
        """Row i of (N, 1, hidden) through expert i of (N,), which have to be sorted."""
        both = self._gate_and_up(rows, experts)
        return _product(self.down_proj, self._gated(*both), experts)

    def _gate_and_up(
        self, x: mx.array, experts: mx.array, rows: mx.array | None = None
    ) -> tuple[mx.array, mx.array]:
        if "gate_up_proj" in self:
            both = _product(self["gate_up_proj"], x, experts, rows=rows)
            gate, up = mx.split(both, 2, axis=-1)
            return gate, up
        gate = _product(self["gate_proj"], x, experts, rows=rows)
        return gate, _product(self["up_proj"], x, experts, rows=rows)


@lru_cache(maxsize=_SORTED_FROM)
def _rows(count: int, top_k: int) -> tuple[mx.array, mx.array]:
    """For `count` products in the order of tokens: the token's row, and their own."""
    places = range(count)
    of_token = [place // top_k for place in places]
    return mx.array(of_token, mx.uint32), mx.array(list(places), mx.uint32)


def _product(
    projection: SwitchLinear | QuantizedSwitchLinear,
    x: mx.array,
    experts: mx.array,
    *,
    rows: mx.array | None = None,
) -> mx.array:
    """Row `rows[i]` of x (N, 1, in) by expert `experts[i]`; without `rows`, row i.

    Without `rows` experts have to be sorted. `projection(x, experts)` would have the
    rows counted on the device at each call.
    """
    if rows is None:
        return projection(x, experts, sorted_indices=True)
    if isinstance(projection, SwitchLinear):
        matrices = projection["weight"].swapaxes(-1, -2)
        return mx.gather_mm(x, matrices, lhs_indices=rows, rhs_indices=experts)
    return mx.gather_qmm(
        x,
        projection["weight"],
        projection["scales"],
        projection.get("biases"),
        lhs_indices=rows,
        rhs_indices=experts,
        transpose=True,
        group_size=projection.group_size,
        bits=projection.bits,
        mode=projection.mode,
    )


class Glm4vMoeTextMoE(nn.Module):
    """Routed experts plus the shared ones, if any."""

    def __init__(self, config: Glm4vMoeTextConfig) -> None:
        super().__init__()
        self.gate = Glm4vMoeTextTopkRouter(config)
        # Loading may put something in its place that computes the same.
        self.switch_mlp: nn.Module = Glm4vMoeTextExperts(config)
        if config.n_shared_experts:
            width = config.moe_intermediate_size * config.n_shared_experts
            self.shared_experts = Glm4vMoeTextMLP(config, width)

    def __call__(self, x: mx.array) -> tuple[mx.array, mx.array]:
        """(B, L, hidden) -> the same, and the router's logits (B, L, experts)."""
        logits, weights, indices = self["gate"](x)
        out = self["switch_mlp"](x, indices)
        out = _weighted(out, mx.expand_dims(weights, -1)).sum(axis=-2)
        if "shared_experts" in self:
            return _added(out, self["shared_experts"](x)), logits
        return out.astype(x.dtype), logits
