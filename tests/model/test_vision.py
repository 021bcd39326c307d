"""The tower: pictures do not see each other, tables, memory, refusals."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_glm45v.config import Glm4vMoeVisionConfig
from mlx_glm45v.model import vision
from mlx_glm45v.model.vision import Glm4vMoeVisionModel, axial_angles, merge_order
from tests.model.memory import MIB, peak_of


def config(**values: Any) -> Glm4vMoeVisionConfig:
    return Glm4vMoeVisionConfig(
        **{
            "depth": 2,
            "hidden_size": 32,
            "num_heads": 2,
            "image_size": 24,
            "patch_size": 4,
            "out_hidden_size": 48,
            "intermediate_size": 40,
            **values,
        }
    )


@pytest.fixture(scope="module")
def tower() -> Glm4vMoeVisionModel:
    mx.random.seed(5)
    return Glm4vMoeVisionModel(config())


def pixels(count: int, seed: int = 0) -> mx.array:
    return mx.random.normal((count, 96), key=mx.random.key(seed))


GRIDS = [(1, 4, 6), (1, 2, 8), (1, 6, 4), (1, 4, 6), (2, 4, 6)]


def test_pictures_together_equal_pictures_alone(tower: Glm4vMoeVisionModel) -> None:
    counts = [t * h * w for t, h, w in GRIDS]
    patches = pixels(sum(counts))
    together = np.array(tower(patches, GRIDS))
    start = 0
    for grid, count in zip(GRIDS, counts, strict=True):
        alone = tower(patches[start : start + count], [grid])
        rows = together[start // 4 : (start + count) // 4]
        np.testing.assert_allclose(rows, np.array(alone), atol=1e-5)
        start += count


def test_frames_of_a_video_are_pictures_of_their_own(
    tower: Glm4vMoeVisionModel,
) -> None:
    patches = pixels(48)
    video = tower(patches, [(2, 4, 6)])
    frames = tower(patches, [(1, 4, 6), (1, 4, 6)])
    np.testing.assert_array_equal(np.array(video), np.array(frames))


def test_many_equal_pictures_are_encoded_batch_by_batch(
    tower: Glm4vMoeVisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    patches, grid, shapes = pixels(5 * 24), [(1, 4, 6)] * 5, []
    whole = tower(patches, grid)
    monkeypatch.setattr(vision, "PATCHES_AT_ONCE", 50)
    pieces = tower(patches, grid, on_block=lambda x: shapes.append(x.shape))
    assert shapes == [(2, 24, 32)] * 4 + [(1, 24, 32)] * 2
    np.testing.assert_allclose(np.array(pieces), np.array(whole), atol=1e-5)


@pytest.mark.parametrize("pictures", [1, 2, 8])
def test_work_grows_with_the_number_of_pictures(
    tower: Glm4vMoeVisionModel, monkeypatch: pytest.MonkeyPatch, pictures: int
) -> None:
    """Every patch meets those of its own picture, so many times and no more."""
    scores = []

    def counted(q: mx.array, k: mx.array, v: mx.array, **options: Any) -> mx.array:
        scores.append(q.shape[0] * q.shape[1] * q.shape[2] * k.shape[2])
        return attend(q, k, v, **options)

    attend = vision.attend
    monkeypatch.setattr(vision, "attend", counted)
    mx.eval(tower(pixels(24 * pictures), [(1, 4, 6)] * pictures))
    blocks, heads = 2, 2
    assert sum(scores) == pictures * blocks * heads * 24**2


def test_memory_does_not_grow_with_the_square_of_all_pictures(
    tower: Glm4vMoeVisionModel,
) -> None:
    """64 pictures of 64 patches: one mask or score matrix over all takes 128 MiB."""
    count = 64 * 64
    patches = pixels(count)
    mx.eval(patches, tower.parameters())
    assert count**2 * 4 * 2 == 128 * MIB
    assert peak_of(lambda: tower(patches, [(1, 8, 8)] * 64)) < 48 * MIB


def test_batches_run_one_after_the_other(
    tower: Glm4vMoeVisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left to itself the evaluation begins many before it ends one (6.5 MiB here)."""
    monkeypatch.setattr(vision, "PATCHES_AT_ONCE", 256)
    patches = pixels(32 * 256)
    mx.eval(patches, tower.parameters())
    assert peak_of(lambda: tower(patches, [(1, 16, 16)] * 32)) < 4 * MIB


def test_block_norms_have_the_configs_eps() -> None:
    small = Glm4vMoeVisionModel(config(rms_norm_eps=0.5))
    norms = [small.post_conv_layernorm, small.post_layernorm]
    norms += [norm for block in small.blocks for norm in (block.norm1, block.norm2)]
    for norm in norms:
        out = norm(mx.full((1, 32), 2.0))
        np.testing.assert_allclose(np.array(out), 2 / np.sqrt(4.5), rtol=1e-6)


def test_the_merger_norm_keeps_its_own_eps() -> None:
    norm = Glm4vMoeVisionModel(config(rms_norm_eps=0.5)).merger.post_projection_norm
    x = mx.array([[1e-3, -1e-3] * 24])
    expected = 1e-3 / np.sqrt(1e-6 + 1e-5)
    np.testing.assert_allclose(np.abs(np.array(norm(x))), expected, rtol=1e-4)


def test_patch_embedding_is_the_convolution(tower: Glm4vMoeVisionModel) -> None:
    patches = pixels(7)
    proj = tower.patch_embed.proj
    # (channel, frame, row, column) -> channel last, as mlx convolves
    volume = patches.reshape(7, 3, 2, 4, 4).transpose(0, 2, 3, 4, 1)
    np.testing.assert_allclose(
        np.array(tower.patch_embed(patches)),
        np.array(proj(volume)).reshape(7, 32),
        atol=1e-5,
    )


def test_merge_order_walks_window_by_window() -> None:
    places = mx.array(
        [[[10 * row + column] for column in range(4)] for row in range(4)]
    )
    assert merge_order(places, 2)[:, 0].tolist() == [
        *(0, 1, 10, 11, 2, 3, 12, 13),
        *(20, 21, 30, 31, 22, 23, 32, 33),
    ]


def test_angles_are_of_the_row_then_of_the_column() -> None:
    angles = np.array(axial_angles(config(rope_theta=100.0), 2, 4))
    inverse = 100.0 ** -(np.arange(0, 8, 2) / 8)
    np.testing.assert_allclose(angles[6], [*(1 * inverse), *(2 * inverse)], rtol=1e-6)


def test_bfloat16_weights_take_float32_pixels() -> None:
    half = Glm4vMoeVisionModel(config())
    half.set_dtype(mx.bfloat16)
    assert half(pixels(24), [(1, 4, 6)]).dtype == mx.bfloat16


def test_a_quantised_tower_is_close_to_its_original() -> None:
    mx.random.seed(6)
    plain = Glm4vMoeVisionModel(config())
    patches = pixels(24)
    expected = np.array(plain(patches, [(1, 4, 6)]))
    nn.quantize(plain, group_size=32, bits=8, class_predicate=fits_a_group)
    assert isinstance(plain.embeddings.position_embedding, nn.QuantizedEmbedding)
    ours = np.array(plain(patches, [(1, 4, 6)]))
    assert np.abs(ours - expected).max() < 0.2 * expected.std()


def fits_a_group(_: str, module: nn.Module) -> bool:
    return hasattr(module, "to_quantized") and module.weight.shape[-1] % 32 == 0


@pytest.mark.parametrize(
    ("count", "grid", "message"),
    [
        (23, [(1, 4, 6)], r"\(24, 96\)"),
        (48, [(1, 4, 6)], r"\(24, 96\)"),
        (15, [(1, 3, 5)], "multiples of 2"),
        (0, [(0, 4, 6)], "from 1"),
        (24, [(4, 6)], r"\(t, h, w\)"),
    ],
)
def test_patches_that_do_not_fill_their_grids_are_refused(
    tower: Glm4vMoeVisionModel, count: int, grid: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tower(pixels(count), grid)


def test_attention_bias_is_on_qkv_only() -> None:
    names = dict(tree_flatten(Glm4vMoeVisionModel(config(attention_bias=True))))
    assert "blocks.0.attn.qkv.bias" in names
    assert "blocks.0.attn.proj.bias" not in names
    plain = dict(tree_flatten(Glm4vMoeVisionModel(config())))
    assert "blocks.0.attn.qkv.bias" not in plain
