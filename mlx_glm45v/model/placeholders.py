"""Where features belong in a prompt and which positions their tokens have.

All of it in the graph: no token is read on the host, so forward passes stay lazy. Grids
are plain numbers. A prompt with more or fewer placeholders than features cannot be
reported from here; it is answered with NaN, never with a picture left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mlx.core as mx

from ..config import Glm4vMoeConfig

Rows = Sequence[tuple[int, int, int]]  # (t, h, w) in patches
FindToken = Callable[[int], mx.array]  # token id -> booleans (B, L)


@dataclass(frozen=True, eq=False)
class Placeholders:
    """Which tokens a feature replaces, and which feature.

    `chosen` is (B, L) booleans, `feature` (B, L) indices into the images' features
    followed by the videos'. `complete` is one boolean: there are as many placeholders
    as features, of each kind.
    """

    chosen: mx.array
    feature: mx.array
    complete: mx.array

    def merge(self, embeds: mx.array, features: mx.array) -> mx.array:
        """`embeds` (B, L, D) with `features` (M, D) at the placeholders; or all NaN."""
        features = features.astype(embeds.dtype)
        merged = mx.where(self.chosen[..., None], features[self.feature], embeds)
        return mx.where(self.complete, merged, mx.array(mx.nan, dtype=embeds.dtype))


def find_placeholders(
    find: FindToken, config: Glm4vMoeConfig, *, images: int | None, videos: int | None
) -> Placeholders:
    """Give each placeholder its feature, kind by kind, in the order of the prompt.

    `images` and `videos` count features; None where that kind was not given. With both,
    image tokens between the markers of a video are the video's, as GLM-4.5V's template
    writes them; with one, every placeholder is of that kind.
    """
    any_kind = find(config.image_token_id) | find(config.video_token_id)
    if images is None or videos is None:
        count = images if images is not None else videos or 0
        feature = mx.minimum(_running(any_kind), count - 1)
        return Placeholders(any_kind, feature, any_kind.sum() == count)
    opened = mx.cumsum(find(config.video_start_token_id).astype(mx.int32), axis=-1)
    closed = mx.cumsum(find(config.video_end_token_id).astype(mx.int32), axis=-1)
    of_video = any_kind & ((opened > closed) | find(config.video_token_id))
    of_image = any_kind & ~of_video
    feature = mx.where(of_video, _running(of_video) + images, _running(of_image))
    feature = mx.minimum(feature, images + videos - 1)
    complete = (of_image.sum() == images) & (of_video.sum() == videos)
    return Placeholders(any_kind, feature, complete)


def rope_index(
    placeholders: Placeholders,
    grids: Rows,
    *,
    merge: int,
    attention_mask: mx.array | None = None,
    start: int | mx.array = 0,
) -> tuple[mx.array, mx.array]:
    """Positions (3, B, L) of a prompt with pictures, and the rope deltas (B,).

    `grids` are the rows behind the features, in their order; a video's frames are
    pictures of their own. A token advances all axes by 1. A picture's tokens stand at
    the cursor plus (frame, row, column) on the merged grid, and move it by the longer
    side. `start` (an int or (B,)) is the first token's position. A delta is what a
    row's number of unpadded tokens lacks to its next position, counted from `start`.
    Source: transformers' `Glm4vMoeModel.get_rope_index`.
    """
    chosen = placeholders.chosen
    real = mx.ones_like(chosen) if attention_mask is None else attention_mask != 0
    inside, advance = _picture_tables(grids, merge)
    step = mx.where(chosen, advance[placeholders.feature], 1) * real
    cursor = mx.cumsum(step, axis=-1, inclusive=False)
    offsets = mx.where(chosen, inside[:, placeholders.feature], 0)
    first = start[:, None] if isinstance(start, mx.array) else start
    positions = (cursor + first + offsets) * real
    reached = (mx.where(real, positions, -1)).max(axis=(0, 2)) + 1
    return positions, reached - start - real.sum(axis=-1)


def _running(mask: mx.array) -> mx.array:
    """For each true place its index among the true ones; row after row."""
    count = mx.cumsum(mask.astype(mx.int32).reshape(-1)) - 1
    return mx.maximum(count.reshape(mask.shape), 0)


def _picture_tables(grids: Rows, merge: int) -> tuple[mx.array, mx.array]:
    """Per feature: (3, M) offsets in its picture and (M,) what the cursor advances."""
    offsets, advances = [], []
    for frames, height, width in grids:
        shape = (frames, height // merge, width // merge)
        axes = [
            mx.broadcast_to(
                mx.arange(size).reshape([-1 if a == axis else 1 for a in range(3)]),
                shape,
            ).reshape(-1)
            for axis, size in enumerate(shape)
        ]
        offsets.append(mx.stack(axes))
        size = axes[0].size
        advances.append(
            mx.where(mx.arange(size) == size - 1, max(shape[1], shape[2]), 0)
        )
    return mx.concatenate(offsets, axis=1), mx.concatenate(advances)
