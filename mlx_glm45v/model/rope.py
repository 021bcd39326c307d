"""The decoder's rotary position embedding with three position axes (M-RoPE).

Knows how frequencies follow from a config and how they rotate queries and keys. Does
not know where positions come from, and keeps nothing of a request.

Frequencies are made in float32 steps like the reference's and given to `mx.fast.rope`
as `freqs`: with `base` it would round differently, 5e-3 radians at position 60,000.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from functools import cached_property

import mlx.core as mx

from ..config import Glm4vMoeTextConfig
from ..config.rope import RopeParameters


def _f32(value: float) -> float:
    return ctypes.c_float(value).value


@dataclass(frozen=True, eq=False)
class Rotation:
    """Rotates the leading numbers of heads by angles fixed beforehand.

    Either `cos` and `sin` (B, 1, L, dims / 2) in float32, or `offset` (an int or (B,))
    and `freqs` (dims / 2,), the reciprocal frequencies, for consecutive positions.
    """

    dims: int
    scale: float
    cos: mx.array | None = None
    sin: mx.array | None = None
    offset: int | mx.array = 0
    freqs: mx.array | None = None

    def __call__(self, x: mx.array) -> mx.array:
        """(B, heads, L, head_dim) -> the same, half-split (NeoX) pairs rotated."""
        if self.cos is not None and self.sin is not None:
            return self._by_table(x, self.cos, self.sin)
        if self.scale != 1.0:
            scaled = x[..., : self.dims] * self.scale
            x = mx.concatenate([scaled, x[..., self.dims :]], axis=-1)
        return mx.fast.rope(
            x,
            self.dims,
            traditional=False,
            base=None,
            scale=1.0,
            offset=self.offset,
            freqs=self.freqs,
        )

    def _by_table(self, x: mx.array, cos: mx.array, sin: mx.array) -> mx.array:
        half = self.dims // 2
        first = x[..., :half].astype(mx.float32)
        second = x[..., half : self.dims].astype(mx.float32)
        rotated = mx.concatenate(
            [first * cos - second * sin, second * cos + first * sin], axis=-1
        )
        return mx.concatenate([rotated.astype(x.dtype), x[..., self.dims :]], axis=-1)


class RotaryEmbedding:
    """Makes the `Rotation` of a forward pass from its positions.

    Source: transformers' `Glm4vMoeTextRotaryEmbedding` and `modeling_rope_utils`. Types
    default, linear, yarn and llama3 have fixed frequencies. Those of dynamic and
    longrope depend on the length of the whole request (`rope_length`, else the
    positions seen so far): a cached key turned by other frequencies would no longer
    match. The reference changes them while its cache grows, so for these two types it
    is compared in one pass.
    """

    def __init__(self, config: Glm4vMoeTextConfig) -> None:
        config.validate()
        self.parameters = config.rope_parameters
        self.dims = self.parameters.rotary_dim(config.size_of_head)
        self.scale = attention_scale(self.parameters)
        self.axes = tuple(
            band % 3
            for band, size in enumerate(self.parameters.mrope_section)
            for _ in range(size)
        )

    def consecutive(
        self, offset: int | mx.array, length: int, *, rope_length: int | None = None
    ) -> Rotation:
        """For positions offset, offset + 1, ... on all axes; an int or (B,)."""
        if rope_length is not None:
            reached: int | mx.array = rope_length
        elif isinstance(offset, int):
            reached = offset + length
        else:
            reached = offset.max() + length
        inverse = self.inverse_frequencies(reached)
        return Rotation(self.dims, self.scale, offset=offset, freqs=1 / inverse)

    def at(self, position_ids: mx.array, *, rope_length: int | None = None) -> Rotation:
        """For positions (3, B, L): temporal, height and width."""
        reached = position_ids.max() + 1 if rope_length is None else rope_length
        inverse = self.inverse_frequencies(reached)
        chosen = position_ids[mx.array(self.axes)]
        angles = mx.moveaxis(chosen, 0, -1).astype(mx.float32) * inverse
        angles = angles[:, None]
        cos, sin = mx.cos(angles) * self.scale, mx.sin(angles) * self.scale
        return Rotation(self.dims, self.scale, cos=cos, sin=sin)

    def regime(self, rope_length: int) -> int | bool | None:
        """What the frequencies of a request of this length hang on.

        Keys turned in one regime do not fit queries of another.
        """
        rope = self.parameters
        if rope.rope_type == "dynamic":
            return max(rope_length, rope.max_position_embeddings)
        if rope.rope_type == "longrope":
            return rope_length > rope.original_max_position_embeddings
        return None

    def inverse_frequencies(self, reached: int | mx.array) -> mx.array:
        """(dims / 2,) float32; `reached` counts the positions of the whole request."""
        rope = self.parameters
        if rope.rope_type == "dynamic":
            return self._dynamic(reached)
        if rope.rope_type == "longrope":
            long = mx.array(reached) > rope.original_max_position_embeddings
            return mx.where(long, mx.array(self._long), mx.array(self._fixed))
        return mx.array(self._fixed)

    @cached_property
    def _fixed(self) -> list[float]:
        return fixed_frequencies(self.parameters, self.dims)

    @cached_property
    def _long(self) -> list[float]:
        base = _powers(self.parameters.rope_theta, self.dims)
        factors = self.parameters.long_factor
        return [_f32(1 / _f32(_f32(f) * b)) for f, b in zip(factors, base, strict=True)]

    def _dynamic(self, reached: int | mx.array) -> mx.array:
        """NTK scaling: the base grows with the length beyond the trained one."""
        rope, dims = self.parameters, self.dims
        factor, trained = rope.factor or 1.0, rope.max_position_embeddings
        length = mx.maximum(mx.array(reached), trained).astype(mx.float32)
        growth = factor * length / trained - (factor - 1)
        base = rope.rope_theta * growth ** (dims / (dims - 2))
        return 1 / base ** (mx.arange(0, dims, 2, dtype=mx.float32) / dims)


def attention_scale(rope: RopeParameters) -> float:
    """What cos and sin are multiplied with (yarn and longrope; 1.0 otherwise)."""
    original = rope.original_max_position_embeddings
    if rope.rope_type not in ("yarn", "longrope"):
        return 1.0
    if rope.attention_factor is not None:
        return rope.attention_factor
    factor = rope.factor or rope.max_position_embeddings / original
    if factor <= 1:
        return 1.0
    if rope.rope_type == "longrope":
        return math.sqrt(1 + math.log(factor) / math.log(original))
    if rope.mscale and rope.mscale_all_dim:
        over = 0.1 * rope.mscale * math.log(factor) + 1
        under = 0.1 * rope.mscale_all_dim * math.log(factor) + 1
        return over / under
    return 0.1 * math.log(factor) + 1


def fixed_frequencies(rope: RopeParameters, dims: int) -> list[float]:
    """Inverse frequencies that no length changes (longrope: of short requests)."""
    powers = _powers(rope.rope_theta, dims)
    if rope.rope_type == "longrope":
        factors = rope.short_factor
        return [
            _f32(1 / _f32(_f32(f) * p)) for f, p in zip(factors, powers, strict=True)
        ]
    inverse = [_f32(1 / p) for p in powers]
    if rope.rope_type == "linear":
        return [_f32(f / (rope.factor or 1)) for f in inverse]
    if rope.rope_type == "yarn":
        return _yarn(rope, dims, powers)
    if rope.rope_type == "llama3":
        return [_llama3(rope, f) for f in inverse]
    return inverse


def _powers(theta: float, dims: int) -> list[float]:
    """theta ** (2 i / dims)."""
    return [_f32(theta ** _f32(i / dims)) for i in range(0, dims, 2)]


def _yarn(rope: RopeParameters, dims: int, powers: list[float]) -> list[float]:
    """Blend of scaled and unscaled frequencies. Source: YaRN, arXiv 2309.00071."""
    original = rope.original_max_position_embeddings
    factor = rope.factor or rope.max_position_embeddings / original

    def dimension_of(rotations: float) -> float:
        turns = math.log(original / (rotations * 2 * math.pi))
        return dims * turns / (2 * math.log(rope.rope_theta))

    low = dimension_of(rope.beta_fast or 32)
    high = dimension_of(rope.beta_slow or 1)
    if rope.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dims - 1)
    if low == high:
        high += 0.001
    result = []
    for index, power in enumerate(powers):
        ramp = _f32(min(max((index - low) / (high - low), 0), 1))
        scaled, unscaled = _f32(1 / _f32(factor * power)), _f32(1 / power)
        result.append(_f32(_f32(scaled * ramp) + _f32(unscaled * _f32(1 - ramp))))
    return result


def _llama3(rope: RopeParameters, inverse: float) -> float:
    """Long waves slowed by `factor`, short ones kept, smooth between (Llama 3.1)."""
    low, high = rope.low_freq_factor or 1.0, rope.high_freq_factor or 4.0
    factor, original = rope.factor or 1.0, rope.original_max_position_embeddings
    wave = _f32(_f32(2 * math.pi) / inverse)
    if wave > original / low:
        return _f32(inverse / factor)
    if wave < original / high:
        return inverse
    smooth = (original / wave - low) / (high - low)
    return _f32((1 - smooth) * inverse / factor + smooth * inverse)
