"""Pictures and videos against the installed transformers; skipped where it is not."""

import ast
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mlx_glm45v.errors import MediaError
from mlx_glm45v.media.images import load_image
from mlx_glm45v.media.videos import VideoInfo
from mlx_glm45v.processing.frame_sampling import EvenRate, SteppedRate
from mlx_glm45v.processing.image_processor import ImageProcessor, smart_resize
from mlx_glm45v.processing.video_processor import resize_frame

torch = pytest.importorskip("torch")
reference = pytest.importorskip(
    "transformers.models.glm4v.image_processing_pil_glm4v",
    reason="transformers is not installed",
)
torch.set_num_threads(1)

CONFIG = {
    "size": {"shortest_edge": 12544, "longest_edge": 9633792},
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
sides = st.integers(1, 12000)


@settings(max_examples=500, deadline=None)
@given(
    frames=st.integers(2, 640),
    height=sides,
    width=sides,
    low=st.sampled_from([784, 12544]),
    high=st.sampled_from([50176, 9633792, 47040000]),
)
def test_any_size_has_the_references_grid(
    frames: int, height: int, width: int, low: int, high: int
) -> None:
    try:
        expected = reference.smart_resize(
            frames, height, width, min_pixels=low, max_pixels=high
        )
    except ValueError:
        expected = None
    try:
        found = smart_resize(
            frames,
            height,
            width,
            temporal_factor=2,
            factor=28,
            min_pixels=low,
            max_pixels=high,
        )
    except MediaError:
        found = None
    assert found == expected


def noise(height: int, width: int, mode: str) -> Image.Image:
    chance = np.random.default_rng(height * 1000 + width)
    shape = (height, width, len(Image.new(mode, (1, 1)).getbands()))
    levels = chance.integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(levels.squeeze(-1) if shape[2] == 1 else levels, mode)


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "CMYK"])
@pytest.mark.parametrize("size", [(60, 90), (13, 200), (300, 200), (224, 336)])
def test_pixels_equal_the_references(mode: str, size: tuple[int, int]) -> None:
    image = noise(*size, mode)
    processor = reference.Glm4vImageProcessorPil(**CONFIG)
    expected = processor(image, return_tensors="np")
    found = ImageProcessor.from_dict(CONFIG)(load_image(image))
    assert [list(found.grid_thw)] == expected["image_grid_thw"].tolist()
    assert np.abs(found.pixel_values - expected["pixel_values"]).max() <= 1e-5


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(8, 200),
    width=st.integers(8, 200),
    rows=st.integers(1, 8),
    columns=st.integers(1, 8),
    smooth=st.booleans(),
)
def test_frames_are_within_two_levels_of_torchs_resize(
    height: int, width: int, rows: int, columns: int, smooth: bool
) -> None:
    y, x, c = np.mgrid[:height, :width, :3]
    levels = (
        120 * np.sin(x / 9 + c) + 128 if smooth else (x * 31 + y * 17 + x * y) % 256
    )
    frame = levels.clip(0, 255).astype(np.uint8)
    # torchvision's `resize` hands 8-bit levels to torch as they are.
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(frame).permute(2, 0, 1)[None],
        (28 * rows, 28 * columns),
        mode="bicubic",
        antialias=True,
    )[0].permute(1, 2, 0)
    found = resize_frame(Image.fromarray(frame), 28 * rows, 28 * columns)
    assert np.abs(found.astype(int) - expected.numpy()).max() <= 2


def test_frame_pairs_are_cut_as_the_reference_cuts_a_video() -> None:
    module = pytest.importorskip("transformers.models.glm4v.video_processing_glm4v")
    frames = np.random.default_rng(0).integers(0, 256, (6, 56, 84, 3), dtype=np.uint8)
    video = torch.from_numpy(frames).permute(0, 3, 1, 2)[None]
    rows, pairs, *_ = module.Glm4vVideoProcessor.patchify(None, video, 14, 2, 2)
    plain = ImageProcessor(
        784, 10**7, image_mean=(0,) * 3, image_std=(1,) * 3, rescale_factor=1.0
    )
    found = [plain.patches(frames[at : at + 2]).pixel_values for at in (0, 2, 4)]
    assert pairs == 3
    assert np.array_equal(np.concatenate(found), rows[0].numpy())


def sample_frames(model: str) -> Callable[..., Any]:
    """The reference's rule, out of a module that needs torchvision to be imported."""
    spec = importlib.util.find_spec(
        f"transformers.models.{model}.video_processing_{model}"
    )
    origin = spec.origin if spec else None
    assert origin is not None
    rule = next(
        node
        for node in ast.walk(ast.parse(Path(origin).read_text()))
        if isinstance(node, ast.FunctionDef) and node.name == "sample_frames"
    )
    scope: dict[str, Any] = {"np": np, "math": math, "VideoMetadata": SimpleNamespace}
    exec(compile(ast.Module([rule], []), origin, "exec"), scope)
    return scope["sample_frames"]


@pytest.mark.parametrize(
    ("model", "rule"), [("glm4v", EvenRate()), ("glm46v", SteppedRate())]
)
@settings(max_examples=150, deadline=None)
@given(
    frames=st.integers(2, 30000),
    rate=st.sampled_from([24.0, 25.0, 30.0, 30000 / 1001, 60.0, 12.5, 7.0]),
)
def test_any_video_of_constant_rate_gives_the_references_frames(
    model: str, rule: EvenRate | SteppedRate, frames: int, rate: float
) -> None:
    duration = frames / rate
    if model == "glm46v" and duration < 1 / 6:
        return  # the reference fails on these
    told = SimpleNamespace(total_num_frames=frames, fps=rate, duration=duration)
    processor = SimpleNamespace(fps=2, max_duration=300, temporal_patch_size=2)
    times = np.arange(frames) / rate
    info = VideoInfo("v", 64, 48, times, rate, duration, np.arange(frames), (0,))
    expected = sample_frames(model)(processor, told).tolist()
    assert rule.indices(info) == expected
