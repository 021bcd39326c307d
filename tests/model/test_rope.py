"""Rotary embedding: both ways to compute it agree, and what is rotated with what."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.config import Glm4vMoeTextConfig
from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.model.rope import RotaryEmbedding
from tests.parity.cases import CASES

HEAD_DIM = 16


def rotary(**values: Any) -> RotaryEmbedding:
    table = {"mrope_section": [2, 1, 1], **values}
    return RotaryEmbedding(
        Glm4vMoeTextConfig(
            hidden_size=64,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=HEAD_DIM,
            rope_scaling=table,
        )
    )


def rows(*axes: list[int]) -> mx.array:
    """Positions (3, 1, L) from one list, or three."""
    return mx.array(axes if len(axes) == 3 else axes * 3)[:, None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("offset", [0, 17, 60000])
def test_tables_and_the_fused_kernel_agree(case: Any, offset: int) -> None:
    config = Glm4vMoeTextConfig.from_dict(case.config["text_config"])
    embedding = RotaryEmbedding(config)
    x = mx.random.normal((1, 2, 9, config.size_of_head))
    positions = mx.broadcast_to(mx.arange(offset, offset + 9), (3, 1, 9))
    fused = embedding.consecutive(offset, 9)(x)
    np.testing.assert_allclose(
        np.array(embedding.at(positions)(x)), np.array(fused), atol=2e-6
    )


def test_every_row_of_a_batch_may_start_elsewhere() -> None:
    embedding, x = rotary(), mx.random.normal((2, 3, 4, HEAD_DIM))
    together = embedding.consecutive(mx.array([5, 90]), 4)(x)
    for row, offset in enumerate((5, 90)):
        alone = embedding.consecutive(offset, 4)(x[row : row + 1])
        np.testing.assert_allclose(
            np.array(together[row]), np.array(alone[0]), atol=1e-6
        )


def test_angles_stay_exact_at_far_positions() -> None:
    """`base=` instead of `freqs=` is off by 5e-3 here."""
    embedding = rotary()
    inverse = np.array(embedding.inverse_frequencies(1))
    angles = np.float32(60000) * inverse
    x = np.zeros((1, 1, 1, HEAD_DIM), np.float32)
    x[..., :4] = 1
    rotated = np.array(embedding.consecutive(60000, 1)(mx.array(x)))[0, 0, 0]
    np.testing.assert_allclose(rotated[:4], np.cos(angles, dtype=np.float64), atol=1e-6)
    np.testing.assert_allclose(
        rotated[4:8], np.sin(angles, dtype=np.float64), atol=1e-6
    )


@pytest.mark.parametrize("by_table", [False, True])
def test_pairs_are_half_split_not_interleaved(by_table: bool) -> None:
    """Number i turns with number i + 4; the numbers from 8 on do not turn."""
    embedding = rotary()
    x = mx.zeros((1, 1, 1, HEAD_DIM))
    x[..., 0] = 1.0
    x[..., 8:] = 1.0
    rotation = embedding.at(rows([1])) if by_table else embedding.consecutive(1, 1)
    rotated = np.array(rotation(x))[0, 0, 0]
    expected = [np.cos(1), 0, 0, 0, np.sin(1), 0, 0, 0]
    np.testing.assert_allclose(rotated[:8], expected, atol=1e-6)
    assert rotated[8:].tolist() == [1.0] * 8


def test_bands_of_frequencies_take_their_axis() -> None:
    """Frequencies 0-1 turn with time, 2 with height, 3 with width."""
    embedding = rotary()
    inverse = np.array(embedding.inverse_frequencies(1))
    x = mx.zeros((1, 1, 1, HEAD_DIM))
    x[..., :4] = 1.0
    rotated = np.array(embedding.at(rows([3], [50], [700]))(x))[0, 0, 0]
    np.testing.assert_allclose(
        rotated[:4], np.cos(np.array([3, 3, 50, 700]) * inverse), atol=1e-5
    )


def test_a_section_beyond_the_third_starts_with_time_again() -> None:
    assert rotary(mrope_section=[1, 1, 1, 1]).axes == (0, 1, 2, 0)


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_the_stated_length_wins_over_the_positions_seen(kind: str) -> None:
    embedding = rotary(
        rope_type=kind,
        factor=2.0,
        original_max_position_embeddings=8,
        short_factor=[1.0] * 4,
        long_factor=[3.0] * 4,
    )
    x = mx.random.normal((1, 1, 3, HEAD_DIM))
    far = 200_000
    short, long = (
        embedding.consecutive(0, 3),
        embedding.consecutive(0, 3, rope_length=far),
    )
    assert mx.abs(short(x) - long(x)).max().item() > 1e-3
    table = embedding.at(rows([0, 1, 2]), rope_length=far)
    np.testing.assert_allclose(np.array(table(x)), np.array(long(x)), atol=1e-6)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ({"factor": 4.0}, 0.1 * np.log(4) + 1),
        ({"factor": 0.5}, 1.0),
        ({"factor": None, "original_max_position_embeddings": 65536 // 8}, None),
        ({"factor": 4.0, "attention_factor": 1.25}, 1.25),
        ({"factor": 4.0, "mscale": 2.0}, 0.1 * np.log(4) + 1),
    ],
)
def test_yarn_scales_cos_and_sin(values: dict[str, Any], scale: float | None) -> None:
    expected = 0.1 * np.log(8) + 1 if scale is None else scale
    assert rotary(rope_type="yarn", **values).scale == pytest.approx(expected)


def test_a_rope_that_does_not_fit_the_heads_is_refused() -> None:
    with pytest.raises(CheckpointError, match="mrope_section"):
        rotary(mrope_section=[8, 12, 12])


@pytest.mark.parametrize("by_table", [False, True])
def test_the_dtype_is_kept(by_table: bool) -> None:
    embedding = rotary(rope_type="yarn", factor=4.0)
    x = mx.random.normal((1, 1, 2, HEAD_DIM)).astype(mx.bfloat16)
    rotation = embedding.at(rows([0, 1])) if by_table else embedding.consecutive(0, 2)
    assert rotation(x).dtype == mx.bfloat16
