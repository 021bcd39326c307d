"""Features go to their own placeholders, and tokens to their positions."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.model.placeholders import Placeholders, find_placeholders, rope_index

I, V, VS, VE = 90, 91, 94, 95  # noqa: E741
CONFIG = Glm4vMoeConfig(
    image_token_id=I,
    video_token_id=V,
    video_start_token_id=VS,
    video_end_token_id=VE,
)


def find(
    rows: list[list[int]], *, images: int | None = None, videos: int | None = None
) -> Placeholders:
    ids = mx.array(rows)
    return find_placeholders(
        lambda token: ids == token, CONFIG, images=images, videos=videos
    )


def merged(
    rows: list[list[int]], features: int, **kinds: int | None
) -> list[list[float]]:
    """Tokens with features -1, -2, ... at their places."""
    found = find(rows, **kinds)
    embeds = mx.array(rows).astype(mx.float32)[..., None]
    numbers = -mx.arange(1, features + 1).astype(mx.float32)[:, None]
    return found.merge(embeds, numbers)[..., 0].tolist()


@pytest.mark.parametrize(
    ("rows", "images", "videos", "expected"),
    [
        ([[1, I, I, 2]], 2, None, [[1, -1, -2, 2]]),
        ([[V, 1, V]], None, 2, [[-1, 1, -2]]),
        # A video's frames hold image tokens; alone, all placeholders are of one kind.
        ([[VS, I, VE, I]], None, 2, [[VS, -1, VE, -2]]),
        ([[VS, I, VE, I]], 2, None, [[VS, -1, VE, -2]]),
        # Together: image features first (-1, -2), then the video's (-3, -4).
        ([[I, VS, I, 5, I, VE, I]], 2, 2, [[-1, VS, -3, 5, -4, VE, -2]]),
        ([[VS, I, I, VE, 3, I, I]], 2, 2, [[VS, -3, -4, VE, 3, -1, -2]]),
        ([[I, V]], 1, 1, [[-1, -2]]),
        # Rows of a batch take features one after the other.
        ([[I, 1, VS, I, VE], [VS, I, VE, I, I]], 3, 2, None),
    ],
)
def test_each_placeholder_takes_the_next_feature_of_its_kind(
    rows: list[list[int]],
    images: int | None,
    videos: int | None,
    expected: list[list[float]] | None,
) -> None:
    count = (images or 0) + (videos or 0)
    result = merged(rows, count, images=images, videos=videos)
    if expected is None:
        expected = [[-1, 1, VS, -4, VE], [VS, -5, VE, -2, -3]]
    assert result == expected


@pytest.mark.parametrize(
    ("rows", "images", "videos"),
    [
        ([[I, I, 1]], 1, None),
        ([[I, 1]], 3, None),
        ([[1, 2]], 1, None),
        ([[1, VS, I, VE]], None, 2),
        ([[I, VS, I, VE]], 2, 1),
        ([[I, VS, I, VE]], 1, 2),
        ([[I, VS, I, I, VE]], 2, 1),
    ],
)
def test_a_picture_without_its_place_spoils_everything(
    rows: list[list[int]], images: int | None, videos: int | None
) -> None:
    """No error can be raised from the graph; a lost picture must not go unseen."""
    result = merged(rows, (images or 0) + (videos or 0), images=images, videos=videos)
    assert np.isnan(result).all()
    kinds = {"images": images, "videos": videos}
    assert find(rows, **kinds).feature.max() < sum(filter(None, kinds.values()))


def rope(
    rows: list[list[int]], grids: list[tuple[int, int, int]], **options: object
) -> tuple[list[object], list[int]]:
    features = sum(t * h * w // 4 for t, h, w in grids)
    positions, deltas = rope_index(
        find(rows, images=features), grids, merge=2, **options
    )
    return positions.tolist(), deltas.tolist()


def test_positions_of_text_picture_text() -> None:
    positions, deltas = rope([[5, 6, *[I] * 6, 7, 8]], [(1, 4, 6)])
    assert positions == [
        [[0, 1, 2, 2, 2, 2, 2, 2, 5, 6]],
        [[0, 1, 2, 2, 2, 3, 3, 3, 5, 6]],
        [[0, 1, 2, 3, 4, 2, 3, 4, 5, 6]],
    ]
    assert deltas == [-3]


def test_two_pictures_side_by_side_are_two() -> None:
    positions, deltas = rope([[I, I, I, 9]], [(1, 4, 2), (1, 2, 2)])
    assert positions == [[[0, 0, 2, 3]], [[0, 1, 2, 3]], [[0, 0, 2, 3]]]
    assert deltas == [0]


def test_several_frames_of_one_grid_count_time() -> None:
    positions, _ = rope([[4, I, I, 9]], [(2, 2, 2)])
    assert positions[0] == [[0, 1, 2, 2]]


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_takes_no_position(side: str) -> None:
    tokens, pad = [5, I, I, 7], [0, 0]
    row = [*pad, *tokens] if side == "left" else [*tokens, *pad]
    mask = [0, 0, 1, 1, 1, 1] if side == "left" else [1, 1, 1, 1, 0, 0]
    alone, delta = rope([tokens], [(1, 4, 2)])
    padded, padded_delta = rope([row], [(1, 4, 2)], attention_mask=mx.array([mask]))
    kept = slice(2, None) if side == "left" else slice(0, 4)
    assert [axis[0][kept] for axis in padded] == [axis[0] for axis in alone]
    assert padded_delta == delta


def test_a_prompt_may_go_on_from_a_position() -> None:
    start = mx.array([10, 20])
    positions, deltas = rope([[I, 5], [I, 6]], [(1, 2, 2)] * 2, start=start)
    assert positions[0] == [[10, 11], [20, 21]]
    assert deltas == [0, 0]
