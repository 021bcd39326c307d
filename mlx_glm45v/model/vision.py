"""The vision tower: patches of pictures -> one feature a merge window.

Knows patches, grids and frames. Does not know images, prompts or files. Pictures never
see each other: frames of one size go through the tower together as a batch, up to
`PATCHES_AT_ONCE` patches, so that no mask is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from ..config import Glm4vMoeVisionConfig
from .activations import gated
from .attention import attend
from .interpolate import sample_positions

PATCHES_AT_ONCE = 8192

Grid = Sequence[Sequence[int]]  # rows (frames, patch rows, patch columns)
OnBlock = Callable[[mx.array], None]


@dataclass(frozen=True, eq=False)
class Tables:
    """What all frames of one size share, in merge order.

    `positions` (N, hidden) are added to the patches; `cos` and `sin` (N, head_dim / 2)
    rotate queries and keys.
    """

    positions: mx.array
    cos: mx.array
    sin: mx.array


def merge_order(table: mx.array, merge: int) -> mx.array:
    """(height, width, C) -> (height * width, C), merge windows one after the other."""
    height, width, channels = table.shape
    windows = table.reshape(height // merge, merge, width // merge, merge, channels)
    return windows.transpose(0, 2, 1, 3, 4).reshape(height * width, channels)


def axial_angles(config: Glm4vMoeVisionConfig, height: int, width: int) -> mx.array:
    """Rotary angles (height * width, head_dim / 2): first of the row, then the column.

    Source: transformers' `Glm4vMoeVisionRotaryEmbedding`.
    """
    spatial = config.head_dim // 2
    exponents = mx.arange(0, spatial, 2, dtype=mx.float32) / spatial
    inverse = 1 / mx.array(config.rope_theta) ** exponents
    rows = mx.arange(height, dtype=mx.float32)[:, None, None] * inverse
    columns = mx.arange(width, dtype=mx.float32)[None, :, None] * inverse
    shape = (height, width, inverse.size)
    angles = [mx.broadcast_to(rows, shape), mx.broadcast_to(columns, shape)]
    return merge_order(mx.concatenate(angles, axis=-1), config.spatial_merge_size)


def rotate_half_split(x: mx.array, cos: mx.array, sin: mx.array) -> mx.array:
    """(..., N, D) rotated in float32 by (N, D / 2) tables."""
    first, second = mx.split(x.astype(mx.float32), 2, axis=-1)
    rotated = [first * cos - second * sin, second * cos + first * sin]
    return mx.concatenate(rotated, axis=-1).astype(x.dtype)


class Glm4vMoeVisionPatchEmbed(nn.Module):
    """Patch vectors (N, channel * frame * row * column) -> (N, hidden).

    The convolution's kernel covers a patch exactly, so it is a matrix product.
    """

    def __init__(self, config: Glm4vMoeVisionConfig) -> None:
        super().__init__()
        kernel = (config.temporal_patch_size, config.patch_size, config.patch_size)
        self.proj = nn.Conv3d(config.in_channels, config.hidden_size, kernel, kernel)

    def __call__(self, patches: mx.array) -> mx.array:
        weight = self.proj.weight  # (hidden, frame, row, column, channel)
        matrix = weight.transpose(0, 4, 1, 2, 3).reshape(weight.shape[0], -1)
        return mx.addmm(self.proj.bias, patches.astype(weight.dtype), matrix.T)


class Glm4vMoeVisionEmbeddings(nn.Module):
    """The learned position table, sampled to any grid."""

    def __init__(self, config: Glm4vMoeVisionConfig) -> None:
        super().__init__()
        self._count = config.positions_per_side**2
        self.position_embedding = nn.Embedding(self._count, config.hidden_size)
        self._merge = config.spatial_merge_size

    def __call__(self, height: int, width: int) -> mx.array:
        """(height * width, hidden) in merge order and the table's dtype."""
        # Called instead of read, in case a file has it quantised.
        table = self.position_embedding(mx.arange(self._count))
        sampled = sample_positions(table, height, width).astype(table.dtype)
        return merge_order(sampled, self._merge)


class Glm4vMoeVisionAttention(nn.Module):
    """Full attention within each frame of a batch (F, N, hidden)."""

    def __init__(self, config: Glm4vMoeVisionConfig) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.qkv = nn.Linear(hidden, hidden * 3, bias=config.attention_bias)
        self.proj = nn.Linear(hidden, hidden, bias=False)
        self._heads = config.num_heads
        self._scale = config.head_dim**-0.5

    def __call__(self, x: mx.array, cos: mx.array, sin: mx.array) -> mx.array:
        frames, length, hidden = x.shape
        qkv = self.qkv(x).reshape(frames, length, 3, self._heads, -1)
        queries, keys, values = qkv.transpose(2, 0, 3, 1, 4)
        queries = rotate_half_split(queries, cos, sin)
        keys = rotate_half_split(keys, cos, sin)
        out = attend(queries, keys, values, scale=self._scale)
        return self.proj(out.transpose(0, 2, 1, 3).reshape(frames, length, hidden))


class Glm4vMoeVisionMLP(nn.Module):
    """The gated MLP of a block; `out_hidden_size` wide, as in the checkpoints."""

    def __init__(self, config: Glm4vMoeVisionConfig) -> None:
        super().__init__()
        hidden, wide = config.hidden_size, config.out_hidden_size
        self.gate_proj = nn.Linear(hidden, wide, bias=False)
        self.up_proj = nn.Linear(hidden, wide, bias=False)
        self.down_proj = nn.Linear(wide, hidden, bias=False)
        self._gated = gated(config.hidden_act)

    def __call__(self, x: mx.array) -> mx.array:
        return self.down_proj(self._gated(self.gate_proj(x), self.up_proj(x)))


class Glm4vMoeVisionBlock(nn.Module):
    """Pre-norm attention and MLP."""

    def __init__(self, config: Glm4vMoeVisionConfig) -> None:
        super().__init__()
        self.norm1 = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.norm2 = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.attn = Glm4vMoeVisionAttention(config)
        self.mlp = Glm4vMoeVisionMLP(config)

    def __call__(self, x: mx.array, cos: mx.array, sin: mx.array) -> mx.array:
        x = x + self.attn(self.norm1(x), cos, sin)
        return x + self.mlp(self.norm2(x))


class Glm4vMoeVisionPatchMerger(nn.Module):
    """Features (..., out_hidden) into the decoder's space."""

    def __init__(self, config: Glm4vMoeVisionConfig) -> None:
        super().__init__()
        dim, wide = config.out_hidden_size, config.intermediate_size
        self.proj = nn.Linear(dim, dim, bias=False)
        self.post_projection_norm = nn.LayerNorm(dim, eps=1e-5)
        self.gate_proj = nn.Linear(dim, wide, bias=False)
        self.up_proj = nn.Linear(dim, wide, bias=False)
        self.down_proj = nn.Linear(wide, dim, bias=False)
        self._gated = gated(config.hidden_act)

    def __call__(self, x: mx.array) -> mx.array:
        x = nn.gelu(self.post_projection_norm(self.proj(x)))
        return self.down_proj(self._gated(self.gate_proj(x), self.up_proj(x)))


class Glm4vMoeVisionModel(nn.Module):
    """The tower. Source: transformers' `Glm4vMoeVisionModel`."""

    def __init__(self, config: Glm4vMoeVisionConfig) -> None:
        super().__init__()
        config.validate()
        self.config = config
        self.patch_embed = Glm4vMoeVisionPatchEmbed(config)
        self.embeddings = Glm4vMoeVisionEmbeddings(config)
        self.post_conv_layernorm = nn.RMSNorm(
            config.hidden_size, eps=config.rms_norm_eps
        )
        self.blocks = [Glm4vMoeVisionBlock(config) for _ in range(config.depth)]
        self.post_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        merge = config.spatial_merge_size
        self.downsample = nn.Conv2d(
            config.hidden_size, config.out_hidden_size, merge, merge
        )
        self.merger = Glm4vMoeVisionPatchMerger(config)

    def __call__(
        self,
        hidden_states: mx.array,
        grid_thw: Grid,
        *,
        on_block: OnBlock | None = None,
    ) -> mx.array:
        """Features (N / merge**2, out_hidden_size) in the order of the patches.

        `hidden_states` are patch vectors (N, channels * frames * patch**2) in merge
        order, `grid_thw` the rows (t, h, w) they fill; each of the t frames is a
        picture of its own. `on_block` is called with the states after each block, so
        that the caller may evaluate them. Raises ValueError where patches and grids
        disagree.
        """
        sizes = self._frame_sizes(hidden_states, grid_thw)
        starts = [0]
        for height, width in sizes:
            starts.append(starts[-1] + height * width)
        tables = {size: self._tables(*size) for size in set(sizes)}
        features: dict[int, mx.array] = {}
        out: mx.array | None = None
        for size, members in _batches(sizes):
            patches = _take_frames(hidden_states, starts, members)
            if out is not None:  # one batch after the other, for the sake of memory
                (patches,) = mx.depends([patches], [out])
            out = self._encode(patches, tables[size], on_block)
            features.update(zip(members, out, strict=True))
        return mx.concatenate([features[index] for index in range(len(sizes))])

    def _tables(self, height: int, width: int) -> Tables:
        angles = axial_angles(self.config, height, width)
        return Tables(self.embeddings(height, width), mx.cos(angles), mx.sin(angles))

    def _encode(
        self, patches: mx.array, tables: Tables, on_block: OnBlock | None
    ) -> mx.array:
        """Frames of one size (F, N, patch vector) -> (F, N / merge**2, out_hidden)."""
        x = self.post_conv_layernorm(self.patch_embed(patches)) + tables.positions
        for block in self.blocks:
            x = block(x, tables.cos, tables.sin)
            if on_block is not None:
                on_block(x)
        return self.merger(self.downsample_windows(self.post_layernorm(x)))

    def downsample_windows(self, x: mx.array) -> mx.array:
        """Each merge window to one vector; patches of a window lie side by side."""
        weight = self.downsample.weight  # (out, row, column, hidden)
        windows = x.reshape(x.shape[0], -1, weight[0].size)
        matrix = weight.reshape(weight.shape[0], -1)
        return mx.addmm(self.downsample.bias, windows, matrix.T)

    def _frame_sizes(self, patches: mx.array, grid: Grid) -> list[tuple[int, int]]:
        merge, length = self.config.spatial_merge_size, self.config.patch_length
        rows = [tuple(int(number) for number in row) for row in grid]
        for row in rows:
            if len(row) != 3 or min(row) < 1 or row[1] % merge or row[2] % merge:
                raise ValueError(
                    f"grid row {row}: wanted (t, h, w) from 1, h and w multiples of "
                    f"{merge}"
                )
        total = sum(t * h * w for t, h, w in rows)
        if patches.shape != (total, length):
            raise ValueError(
                f"patches have shape {patches.shape}; the grids {rows} need "
                f"{(total, length)}"
            )
        return [(h, w) for t, h, w in rows for _ in range(t)]


def _batches(
    sizes: list[tuple[int, int]],
) -> list[tuple[tuple[int, int], list[int]]]:
    """Indices of frames of one size, at most `PATCHES_AT_ONCE` patches a batch."""
    by_size: dict[tuple[int, int], list[int]] = {}
    for index, size in enumerate(sizes):
        by_size.setdefault(size, []).append(index)
    batches = []
    for (height, width), members in by_size.items():
        count = max(1, PATCHES_AT_ONCE // (height * width))
        for first in range(0, len(members), count):
            batches.append(((height, width), members[first : first + count]))
    return batches


def _take_frames(patches: mx.array, starts: list[int], members: list[int]) -> mx.array:
    return mx.stack([patches[starts[i] : starts[i + 1]] for i in members])
