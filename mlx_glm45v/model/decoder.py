"""The decoder: embeddings of a prompt -> hidden states.

Knows tokens, caches and positions. Does not know pictures: their features arrive as
`inputs_embeds`, their positions as `position_ids`. Keeps nothing of a request; all of
it is in the arguments and in the caches (mlx-lm's).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.models.base import create_attention_mask
from mlx_lm.models.cache import KVCache

from ..config import Glm4vMoeTextConfig
from .attention import attend, attention_weights
from .experts import Glm4vMoeTextMLP, Glm4vMoeTextMoE
from .outputs import Cache, Glm4vMoeModelOutputWithPast
from .rope import RotaryEmbedding, Rotation

OnLayer = Callable[[mx.array], None]
Deltas = int | mx.array


@dataclass
class Recorder:
    """What a forward pass shall keep beside its result; None is not asked for."""

    hidden_states: list[mx.array] | None = None
    attentions: list[mx.array] | None = None
    router_logits: list[mx.array] | None = None

    @staticmethod
    def kept(values: list[mx.array] | None) -> tuple[mx.array, ...] | None:
        return None if values is None else tuple(values)


@dataclass(frozen=True, eq=False)
class Step:
    """What all layers of one forward pass share."""

    rotation: Rotation
    mask: mx.array | str | None
    record: Recorder = field(default_factory=Recorder)


class Glm4vMoeTextAttention(nn.Module):
    """Grouped-query attention with partial rotary embedding."""

    def __init__(self, config: Glm4vMoeTextConfig) -> None:
        super().__init__()
        hidden, size = config.hidden_size, config.size_of_head
        self._heads = config.num_attention_heads
        self._kv_heads = config.num_key_value_heads
        self._scale = size**-0.5
        bias = config.attention_bias
        self.q_proj = nn.Linear(hidden, self._heads * size, bias=bias)
        self.k_proj = nn.Linear(hidden, self._kv_heads * size, bias=bias)
        self.v_proj = nn.Linear(hidden, self._kv_heads * size, bias=bias)
        self.o_proj = nn.Linear(self._heads * size, hidden, bias=False)

    def __call__(
        self, x: mx.array, step: Step, cache: Any = None, keep: int | None = None
    ) -> mx.array:
        """(B, L, hidden) -> the same, or the last `keep` rows of it."""
        B, L, _ = x.shape
        turned, values = self._project(x)
        queries, keys = mx.split(step.rotation(turned), [self._heads], axis=1)
        if cache is not None:
            if L > 1:
                # An empty cache may keep a chunk as it is: not as a view, which would
                # hold the queries' memory, too.
                keys, values = mx.contiguous(keys), mx.contiguous(values)
            keys, values = cache.update_and_fetch(keys, values)
        mask = step.mask
        if keep is not None:
            L, queries = keep, queries[:, :, -keep:]
            mask = mask if mask is None or isinstance(mask, str) else mask[..., -L:, :]
        if step.record.attentions is not None:
            weights = attention_weights(queries, keys, scale=self._scale, mask=mask)
            step.record.attentions.append(weights)
        out = attend(queries, keys, values, scale=self._scale, mask=mask, cache=cache)
        return self["o_proj"](out.swapaxes(1, 2).reshape(B, L, -1))

    def _project(self, x: mx.array) -> tuple[mx.array, mx.array]:
        """Heads (B, heads, L, D): queries and keys together, to be turned; values."""
        B, L, _ = x.shape
        turned = self._heads + self._kv_heads
        if "qkv_proj" in self:
            heads = self["qkv_proj"](x).reshape(B, L, turned + self._kv_heads, -1)
            both, values = mx.split(heads.swapaxes(1, 2), [turned], axis=1)
            return both, values
        both = mx.concatenate([self.q_proj(x), self.k_proj(x)], axis=-1)
        both = both.reshape(B, L, turned, -1)
        values = self.v_proj(x).reshape(B, L, self._kv_heads, -1)
        return both.swapaxes(1, 2), values.swapaxes(1, 2)


class Glm4vMoeTextDecoderLayer(nn.Module):
    """Attention, then the dense MLP (first layers) or experts, each after a norm."""

    def __init__(self, config: Glm4vMoeTextConfig, layer: int) -> None:
        super().__init__()
        hidden, eps = config.hidden_size, config.rms_norm_eps
        self.self_attn = Glm4vMoeTextAttention(config)
        self.mlp = (
            Glm4vMoeTextMLP(config, config.intermediate_size)
            if config.is_dense(layer)
            else Glm4vMoeTextMoE(config)
        )
        self.input_layernorm = nn.RMSNorm(hidden, eps=eps)
        self.post_attention_layernorm = nn.RMSNorm(hidden, eps=eps)

    def __call__(
        self, x: mx.array, step: Step, cache: Any = None, keep: int | None = None
    ) -> mx.array:
        """(B, L, hidden) -> the same, or the last `keep` rows of it.

        The cache takes all of them in.
        """
        attended = self["self_attn"](self["input_layernorm"](x), step, cache, keep)
        x = (x if keep is None else x[:, -keep:]) + attended
        normed, mlp = self["post_attention_layernorm"](x), self["mlp"]
        if isinstance(mlp, Glm4vMoeTextMLP):
            return x + mlp(normed)
        out, logits = mlp(normed)
        if step.record.router_logits is not None:
            step.record.router_logits.append(logits.reshape(-1, logits.shape[-1]))
        return x + out


class Glm4vMoeTextModel(nn.Module):
    """Embedding, layers and the last norm. Source: transformers' class of this name."""

    def __init__(self, config: Glm4vMoeTextConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = [
            Glm4vMoeTextDecoderLayer(config, layer)
            for layer in range(config.num_hidden_layers)
        ]
        self.norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self._rotary = RotaryEmbedding(config)

    def embed(self, input_ids: mx.array) -> mx.array:
        """Tokens (B, L) -> (B, L, hidden) in the model's dtype.

        Tables packed as mxfp4, mxfp8 or nvfp4 come out as bfloat16 whatever the model
        computes in.
        """
        return self.embed_tokens(input_ids).astype(self.norm.weight.dtype)

    def rope_regime(self, rope_length: int) -> int | bool | None:
        """See `RotaryEmbedding.regime`."""
        return self._rotary.regime(rope_length)

    def make_cache(self) -> Cache:
        """An empty mlx-lm cache for each layer."""
        return [KVCache() for _ in self.layers]

    def __call__(
        self,
        input_ids: mx.array | None = None,
        attention_mask: mx.array | None = None,
        position_ids: mx.array | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: mx.array | None = None,
        use_cache: bool | None = None,
        *,
        rope_deltas: Deltas | None = None,
        cache_position: mx.array | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
        output_router_logits: bool | None = None,
        return_dict: bool = True,
        rope_length: int | None = None,
        states_to_keep: int = 0,
        on_layer: OnLayer | None = None,
    ) -> Glm4vMoeModelOutputWithPast:
        """Hidden states for (B, L) tokens or (B, L, hidden) embeddings.

        `attention_mask` is (B, past + L), 0 at padding on either side. `position_ids`
        is (B, L), or (3, B, L) where the axes differ. Without it a token's position is
        its place in the sequence (`cache_position` (L,), else the number of unpadded or
        cached tokens before it) plus `rope_deltas`, an int or (B,). `past_key_values`
        is filled in place. `rope_length` says how many positions the whole request will
        reach; only dynamic and longrope frequencies depend on it, and without it on the
        positions seen so far. `states_to_keep` asks for the last so many hidden states
        only (0: all), and spares the last layer the others, unless something is to be
        recorded. `on_layer` is called with the states after each layer.
        Raises ValueError for arguments that do not fit together.
        """
        if input_ids is not None and inputs_embeds is None:
            x = self.embed(input_ids)
        elif inputs_embeds is not None and input_ids is None:
            x = inputs_embeds
        else:
            raise ValueError("exactly one of input_ids and inputs_embeds is needed")
        cache = past_key_values
        if cache is None and (
            self.config.use_cache if use_cache is None else use_cache
        ):
            cache = self.make_cache()
        if output_router_logits is None:
            output_router_logits = self.config.output_router_logits
        record = Recorder(
            hidden_states=[x] if output_hidden_states else None,
            attentions=[] if output_attentions else None,
            router_logits=[] if output_router_logits else None,
        )
        mask = _attention_mask(x, cache, attention_mask)
        step = Step(
            rotation=self._rotation(
                x,
                cache,
                attention_mask=attention_mask,
                position_ids=position_ids,
                cache_position=cache_position,
                rope_deltas=0 if rope_deltas is None else rope_deltas,
                rope_length=rope_length,
            ),
            mask=mask,
            record=record,
        )
        short = 0 < states_to_keep < x.shape[1] and record == Recorder()
        for index, layer in enumerate(self.layers):
            keep = states_to_keep if short and index == len(self.layers) - 1 else None
            x = layer(x, step, None if cache is None else cache[index], keep)
            if record.hidden_states is not None:
                record.hidden_states.append(x)
            if on_layer is not None:
                on_layer(x)
        x = self.norm(x)
        if record.hidden_states is not None:
            record.hidden_states[-1] = x
        output = Glm4vMoeModelOutputWithPast(
            last_hidden_state=x,
            past_key_values=cache,
            hidden_states=Recorder.kept(record.hidden_states),
            attentions=Recorder.kept(record.attentions),
            router_logits=Recorder.kept(record.router_logits),
        )
        if not return_dict:
            return output.to_tuple()  # pyright: ignore[reportReturnType]
        return output

    def _rotation(
        self,
        x: mx.array,
        cache: Cache | None,
        *,
        attention_mask: mx.array | None,
        position_ids: mx.array | None,
        cache_position: mx.array | None,
        rope_deltas: Deltas,
        rope_length: int | None,
    ) -> Rotation:
        B, L, _ = x.shape
        deltas = rope_deltas
        if isinstance(deltas, mx.array):
            deltas = mx.broadcast_to(deltas.reshape(-1), (B,))
        past = past_length(cache)
        if position_ids is None and cache_position is not None:
            position_ids = mx.broadcast_to(cache_position, (B, L)) + _column(deltas)
        elif position_ids is None and attention_mask is not None:
            places = mx.cumsum(attention_mask.astype(mx.int32), axis=-1)[:, -L:] - 1
            position_ids = mx.maximum(places, 0) + _column(deltas)
        if position_ids is None:
            return self._rotary.consecutive(past + deltas, L, rope_length=rope_length)
        if position_ids.ndim == 2:
            position_ids = mx.broadcast_to(position_ids, (3, B, L))
        if position_ids.shape != (3, B, L):
            raise ValueError(
                f"position_ids have shape {position_ids.shape}; "
                f"{B, L} or {3, B, L} is needed"
            )
        return self._rotary.at(position_ids, rope_length=rope_length)


def past_length(cache: Cache | None) -> int | mx.array:
    """Tokens in the cache; (B,) for caches of padded batches."""
    return cache[0].offset if cache else 0


def _column(deltas: Deltas) -> Deltas:
    return deltas[:, None] if isinstance(deltas, mx.array) else deltas


def _attention_mask(
    x: mx.array, cache: Cache | None, attention_mask: mx.array | None
) -> mx.array | str | None:
    """None, "causal", or booleans (B, 1, L, T), true where a query sees a key."""
    if attention_mask is None:
        return create_attention_mask(x, cache[0] if cache else None)
    B, L, _ = x.shape
    past = past_length(cache)
    if isinstance(past, mx.array):
        raise ValueError("attention_mask cannot be combined with a batch cache's own")
    if attention_mask.shape != (B, past + L):
        raise ValueError(
            f"attention_mask has shape {attention_mask.shape}; {B, past + L} is needed "
            "(cached tokens included)"
        )
    columns = mx.arange(past + L)
    rows = columns[past:, None]
    seen = (attention_mask != 0)[:, None, None, :] & (columns <= rows)
    # Padding sees itself: a row without any key would be NaN and spread.
    return seen | (columns == rows)
