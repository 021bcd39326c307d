"""The same arithmetic as transformers' modules, arranged for small models on a CPU.

A test compares values and gradients. Does not know batches or losses.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AttentionInterface, Glm4vMoeForConditionalGeneration


def attended(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    scaling: float,
) -> torch.Tensor:
    """Attention (B, heads, L, d) as two products: twice as fast as the fused one."""
    with torch.autocast("cpu", enabled=False):
        scores = (query * scaling) @ key.transpose(-1, -2)
        if bias is not None:
            scores = scores + bias.to(scores.dtype)
        return scores.softmax(-1) @ value


def decoder_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    *,
    scaling: float,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attention under an additive mask (B, 1, L, L); query heads share key heads.

    A module with the attribute `noted` keeps what it compared, see `pointing`.
    """
    batch, heads, length, depth = query.shape
    shared = key.shape[1]
    told = attended(
        query.reshape(batch, shared, heads // shared * length, depth),
        key,
        value.to(query.dtype),
        attention_mask.repeat(1, 1, heads // shared, 1),
        scaling,
    )
    if hasattr(module, "noted"):
        module.noted = (query, key, attention_mask)
    return told.view(batch, heads, length, depth).transpose(1, 2), None


def grouped_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    cu_seq_lens_q: torch.Tensor,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attention within each of many pictures: (1, heads, N, d) each.

    Neighbours of one size go through one call: transformers' picture by picture costs
    more than the attention itself.
    """
    del module, attention_mask
    heads, depth = query.shape[1], query.shape[3]
    seen = []
    lengths = cu_seq_lens_q.diff().tolist()
    at = index = 0
    while index < len(lengths):
        length, count = lengths[index], 1
        while index + count < len(lengths) and lengths[index + count] == length:
            count += 1
        query_part, key_part, value_part = (
            rows[0, :, at : at + count * length]
            .reshape(heads, count, length, depth)
            .transpose(0, 1)
            for rows in (query, key, value.to(query.dtype))
        )
        told = attended(query_part, key_part, value_part, None, scaling)
        seen.append(told.transpose(1, 2).reshape(count * length, heads, depth))
        at += count * length
        index += count
    return torch.cat(seen)[None], None


# The first name makes transformers pass the pictures' bounds instead of cutting there.
AttentionInterface.register("flash_grouped", grouped_attention)
AttentionInterface.register("products", decoder_attention)


def patches_embedded(self: Any, hidden_states: torch.Tensor) -> torch.Tensor:
    """A convolution whose kernel is the whole patch is a product."""
    weight = self.proj.weight
    return functional.linear(hidden_states, weight.flatten(1), self.proj.bias)


def positions_embedded(
    self: Any,
    embeddings: torch.Tensor,
    lengths: torch.Tensor,
    image_shapes: torch.Tensor,
    h_coords: torch.Tensor,
    w_coords: torch.Tensor,
) -> torch.Tensor:
    """The table is sampled once for each size, not for each picture."""
    grids = [tuple(shape) for shape in image_shapes[:, 1:].tolist()]
    starts = [0, *lengths.cumsum(0).tolist()]
    sampled: dict[tuple[int, ...], torch.Tensor] = {}
    parts = []
    for index, grid in enumerate(grids):
        if grid not in sampled:
            rows = slice(starts[index], starts[index + 1])
            none = embeddings.new_zeros(rows.stop - rows.start, embeddings.shape[1])
            sampled[grid] = type(self).forward(
                self,
                none.float(),
                lengths[index : index + 1],
                image_shapes[index : index + 1],
                h_coords[rows],
                w_coords[rows],
            )
        parts.append(sampled[grid])
    return embeddings + torch.cat(parts)


def experts_applied(
    self: Any,
    hidden_states: torch.Tensor,
    top_k_index: torch.Tensor,
    top_k_weights: torch.Tensor,
) -> torch.Tensor:
    """Tokens are gathered and added up once, not once an expert."""
    chosen = top_k_index.flatten()
    order = chosen.argsort()
    token = order // top_k_index.shape[1]
    counts = torch.bincount(chosen, minlength=self.num_experts).tolist()
    told = []
    for expert, rows in enumerate(hidden_states[token].split(counts)):
        gate, up = functional.linear(rows, self.gate_up_proj[expert]).chunk(2, dim=-1)
        told.append(functional.linear(self.act_fn(gate) * up, self.down_proj[expert]))
    weighted = torch.cat(told) * top_k_weights.flatten()[order, None]
    return torch.zeros_like(hidden_states).index_add_(
        0, token, weighted.to(hidden_states.dtype)
    )


def arrange(model: Glm4vMoeForConditionalGeneration) -> None:
    """Make the model's forward and backward cheap; its parameters stay as they are."""
    model.model.visual.config._attn_implementation = "flash_grouped"
    model.model.language_model.config._attn_implementation = "products"
    tower = model.model.visual
    tower.patch_embed.forward = MethodType(patches_embedded, tower.patch_embed)
    tower.embeddings.forward = MethodType(positions_embedded, tower.embeddings)
    for layer in model.model.language_model.layers:
        if hasattr(layer.mlp, "experts"):
            experts = layer.mlp.experts
            experts.forward = MethodType(experts_applied, experts)
