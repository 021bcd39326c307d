"""The stored values come from the reference (tools/make_pixel_values.py)."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mlx_glm45v.errors import CheckpointError, MediaError
from mlx_glm45v.processing.image_processor import ImageProcessor, smart_resize

PARITY = Path(__file__).parents[1] / "parity"
CONFIG = {
    "size": {"shortest_edge": 12544, "longest_edge": 9633792},
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
PROCESSOR = ImageProcessor.from_dict(CONFIG)


def grey(width: int, height: int, level: int = 90) -> Image.Image:
    return Image.new("RGB", (width, height), (level, level, level))


def test_every_stored_size_becomes_the_references_grid() -> None:
    rows = json.loads((PARITY / "pixels.json").read_text())["grids"]
    assert len(rows) > 250
    for frames, height, width, low, high, expected in rows:
        try:
            size = smart_resize(
                frames,
                height,
                width,
                temporal_factor=2,
                factor=28,
                min_pixels=low,
                max_pixels=high,
            )
        except MediaError:
            size = None
        assert size == (None if expected is None else tuple(expected))


@pytest.mark.parametrize("number", range(3))
def test_stored_pixels_equal_the_references(number: int) -> None:
    stored = np.load(PARITY / "pixels.npz")
    processor = ImageProcessor(min_pixels=784, max_pixels=10**7)
    found = processor(Image.fromarray(stored[f"still_{number}"])).pixel_values
    assert found.dtype == np.float32
    assert np.abs(found - stored[f"still_{number}_values"]).max() <= 1e-5


@given(st.integers(1, 30000), st.integers(1, 30000))
def test_any_size_fits_the_budget_or_is_too_narrow(width: int, height: int) -> None:
    try:
        rows, columns = PROCESSOR.target_size(width, height)
    except MediaError:
        # Sides under 28 are scaled up first, so that the ratio stays.
        assert max(width, height) / min(width, height) > 199
        return
    assert rows % 28 == 0
    assert columns % 28 == 0
    assert rows >= 28
    assert columns >= 28
    assert 12544 <= 2 * rows * columns <= 9633792
    assert PROCESSOR.num_tokens(width, height) == rows * columns // 784


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(784, 10**6))
def test_max_pixels_caps_height_times_width(
    width: int, height: int, max_pixels: int
) -> None:
    try:
        rows, columns = PROCESSOR.target_size(width, height, max_pixels=max_pixels)
    except MediaError:
        assert max(width, height) / min(width, height) > 199
        return
    assert rows * columns <= max_pixels or 28 in (rows, columns)


def test_max_pixels_above_the_checkpoints_budget_changes_nothing() -> None:
    assert PROCESSOR.target_size(9000, 9000, max_pixels=10**9) == (
        PROCESSOR.target_size(9000, 9000)
    )


def test_max_pixels_under_one_token_is_refused_by_name() -> None:
    with pytest.raises(MediaError, match=r"a\.png: max_pixels .* 28x28 = 784"):
        PROCESSOR(grey(50, 50), max_pixels=783, name="a.png")


def test_a_very_narrow_picture_is_refused_by_name_and_size() -> None:
    with pytest.raises(MediaError, match=r"a\.png \(10000x30\).*333 times.*Crop"):
        PROCESSOR(grey(10000, 30), name="a.png")


def test_rows_go_by_merge_windows() -> None:
    # Each 14x14 cell has its own level, so that a row tells where it comes from.
    cells = np.arange(32, dtype=np.uint8).reshape(4, 8).repeat(14, 0).repeat(14, 1)
    processor = ImageProcessor(
        min_pixels=784, max_pixels=10**7, image_mean=(0,) * 3, image_std=(1,) * 3
    )
    patches = processor(Image.fromarray(np.dstack([cells] * 3)))
    assert patches.grid_thw == (1, 4, 8)
    order = np.rint(patches.pixel_values[:, 0] * 255).astype(int).tolist()
    assert order[:8] == [0, 1, 8, 9, 2, 3, 10, 11]
    assert order[16:20] == [16, 17, 24, 25]


def test_a_row_is_channel_then_frame_then_patch() -> None:
    image = np.zeros((112, 112, 3), np.uint8)
    image[0, 1] = (255, 0, 0)
    processor = ImageProcessor(
        min_pixels=784, max_pixels=10**7, image_mean=(0,) * 3, image_std=(1,) * 3
    )
    row = processor(Image.fromarray(image)).pixel_values[0].reshape(3, 2, 14, 14)
    assert [tuple(at) for at in np.argwhere(row)] == [(0, 0, 0, 1), (0, 1, 0, 1)]


def test_equal_pixels_have_equal_digests_and_other_pixels_others() -> None:
    one, same, other = PROCESSOR(grey(90, 60)), PROCESSOR(grey(90, 60)), None
    other = PROCESSOR(grey(90, 60, level=91))
    assert one.digest == same.digest
    assert one.digest != other.digest


@pytest.mark.parametrize(
    "change", [{"image_mean": [0.5, 0.5, 0.5]}, {"image_std": [1, 1, 1]}]
)
def test_other_settings_give_other_digests(change: dict[str, list[float]]) -> None:
    other = ImageProcessor.from_dict({**CONFIG, **change})
    assert other(grey(90, 60)).digest != PROCESSOR(grey(90, 60)).digest


def test_one_level_in_one_shape_is_not_the_same_in_another() -> None:
    wide, tall = PROCESSOR(grey(112, 224)), PROCESSOR(grey(224, 112))
    assert wide.digest != tall.digest


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"size": None}, "shortest_edge and longest_edge"),
        ({"size": {"height": 336, "width": 336}}, "shortest_edge and longest_edge"),
        ({"do_resize": False}, "do_resize=false"),
        ({"do_normalize": False}, "do_normalize=false"),
        ({"resample": 2}, "resample=2"),
    ],
)
def test_a_config_asking_for_other_steps_is_refused(
    change: dict[str, object], told: str
) -> None:
    with pytest.raises(CheckpointError, match=told):
        ImageProcessor.from_dict({**CONFIG, **change})
