"""Files are made here with PyAV; stored values are the reference's."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from mlx_glm45v.errors import Cancelled, CheckpointError, MediaError
from mlx_glm45v.media.videos import probe
from mlx_glm45v.processing.frame_sampling import EvenRate, SteppedRate
from mlx_glm45v.processing.image_processor import Patches
from mlx_glm45v.processing.video_processor import VideoProcessor, resize_frame

PARITY = Path(__file__).parents[1] / "parity"
CONFIG = {
    "size": {"shortest_edge": 784, "longest_edge": 9633792},
    "image_mean": [0, 0, 0],
    "image_std": [1, 1, 1],
    "processor_class": "Glm4vProcessor",
}
PROCESSOR = VideoProcessor.from_dict(CONFIG)


def film(levels: Sequence[int], rate: int = 10, times: Sequence[float] = ()) -> bytes:
    """A lossless MKV of 56x56 grey pictures."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.width = stream.height = 56
        stream.pix_fmt = "bgr0"
        for number, level in enumerate(levels):
            frame = av.VideoFrame.from_ndarray(
                np.full((56, 56, 3), level, np.uint8), format="rgb24"
            )
            seconds = times[number] if times else number / rate
            frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def levels_of(pair: Patches) -> tuple[int, int]:
    first, second = np.rint(
        pair.pixel_values.reshape(-1, 3, 2, 14, 14)[0, 0, :, 0, 0] * 255
    ).astype(int)
    return int(first), int(second)


def test_each_pair_holds_two_frames_and_the_time_of_the_first() -> None:
    video = PROCESSOR(film(range(0, 200, 10)))
    assert [levels_of(pair) for pair in video.pairs] == [(0, 50), (100, 150)]
    assert video.seconds == (0.0, 1.0)
    assert (video.width, video.height) == (56, 56)
    assert {pair.grid_thw for pair in video.pairs} == {(1, 4, 4)}


def test_a_variable_rate_is_sampled_by_the_clock() -> None:
    times = [0.0, 0.1, 0.2, 0.5, 1.0, 1.9, 2.0, 2.6]
    video = PROCESSOR(film(range(10, 90, 10), times=times))
    assert [levels_of(pair) for pair in video.pairs] == [(10, 40), (50, 60), (70, 70)]
    assert video.seconds == (0.0, 1.0, 2.0)


def test_fps_replaces_the_checkpoints_rate() -> None:
    assert len(PROCESSOR(film([5] * 20), fps=4).pairs) == 4


def test_max_pixels_counts_all_frames() -> None:
    video = PROCESSOR(film([5] * 20), max_pixels=4 * 28 * 28)
    assert {pair.grid_thw for pair in video.pairs} == {(1, 2, 2)}


@pytest.mark.parametrize("options", [{}, {"fps": 5.0}, {"max_pixels": 4 * 28 * 28}])
def test_tokens_are_counted_without_decoding(options: dict[str, float]) -> None:
    clip = film([5] * 20)
    tokens = sum(
        pair.grid_thw[1] * pair.grid_thw[2] // 4
        for pair in PROCESSOR(clip, **options).pairs
    )
    assert PROCESSOR.num_tokens(probe(clip), **options) == tokens


def test_given_frames_are_all_taken_at_their_times() -> None:
    frames = [Image.new("RGB", (56, 56), (level,) * 3) for level in (1, 2, 3)]
    video = PROCESSOR(frames, times=(0.0, 0.4, 7.5))
    assert [levels_of(pair) for pair in video.pairs] == [(1, 2), (3, 3)]
    assert video.seconds == (0.0, 7.5)


def test_an_array_of_frames_is_a_video() -> None:
    array = np.stack([np.full((56, 56, 3), level, np.uint8) for level in (1, 2)])
    assert levels_of(PROCESSOR(array, times=(0, 1)).pairs[0]) == (1, 2)


def test_one_frame_stands_twice() -> None:
    video = PROCESSOR(film([7]))
    assert [levels_of(pair) for pair in video.pairs] == [(7, 7)]


def test_a_pair_of_other_frames_has_another_digest() -> None:
    digests = {pair.digest for pair in PROCESSOR(film([1, 1, 2, 2] * 5)).pairs}
    same = {pair.digest for pair in PROCESSOR(film([1] * 20)).pairs}
    assert len(same) == 1
    assert digests.isdisjoint(same) or len(digests) > 1


@pytest.mark.parametrize("number", range(4))
def test_frames_are_within_two_levels_of_the_references(number: int) -> None:
    stored = np.load(PARITY / "pixels.npz")
    frame, resized = stored[f"frame_{number}"], stored[f"frame_{number}_resized"]
    found = resize_frame(Image.fromarray(frame), *resized.shape[:2])
    assert np.abs(found.astype(int) - resized).max() <= 2


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        ({"processor_class": "Glm4vProcessor"}, EvenRate()),
        ({"image_processor_type": "Glm46VImageProcessor"}, SteppedRate()),
        (
            {
                "video_processor_type": "Glm46VVideoProcessor",
                "image_processor_type": "Glm4vImageProcessor",
            },
            SteppedRate(),
        ),
        (
            {"video_processor_type": "Glm4vVideoProcessor", "fps": 1},
            EvenRate(fps=1.0),
        ),
    ],
)
def test_the_config_names_the_rule(config: dict[str, object], rule: object) -> None:
    assert VideoProcessor.from_dict(config).rule == rule


@pytest.mark.parametrize("config", [{}, {"processor_class": "Qwen2VLProcessor"}])
def test_a_config_without_a_known_rule_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="processor"):
        VideoProcessor.from_dict(config)


def test_without_a_size_the_budget_is_thirty_thousand_tokens() -> None:
    processor = VideoProcessor.from_dict({"processor_class": "Glm4vProcessor"})
    assert processor.frames.max_pixels == 47_040_000


@pytest.mark.parametrize(
    ("times", "fps", "told"),
    [
        (None, None, "3 frames with no times.*Give the seconds"),
        ((0.0, 1.0), None, "3 frames with 2 times.*3 in all"),
        ((0.0, 2.0, 2.0), None, "time 2 s follows 2 s.*rising"),
        ((0.0, float("nan"), 2.0), None, "seconds from 0 on"),
        ((-1.0, 0.0, 2.0), None, "seconds from 0 on"),
        ((0.0, 1.0, 2.0), 2.0, "fps chooses.*Leave fps out"),
        ((0.0, 1.0, 2.0), -2.0, "fps is -2.0"),
    ],
)
def test_times_and_fps_must_make_sense(
    times: tuple[float, ...] | None, fps: float | None, told: str
) -> None:
    frames = [np.zeros((56, 56, 3), np.uint8)] * 3
    with pytest.raises(MediaError, match=told):
        PROCESSOR(frames, times=times, fps=fps)


def test_frames_of_two_sizes_are_refused_with_both() -> None:
    frames = [np.zeros((56, 56), np.uint8), np.zeros((56, 60), np.uint8)]
    with pytest.raises(MediaError, match=r"frame 2 has 60x56.*first one 56x56"):
        PROCESSOR(frames, times=(0, 1))


def test_times_for_a_file_are_refused() -> None:
    with pytest.raises(MediaError, match="has its own"):
        PROCESSOR(film([1]), times=(0.0,))


@pytest.mark.parametrize("after", [0, 3, 25])
def test_a_stop_ends_the_reading(after: int) -> None:
    asked = iter(range(1000))
    with pytest.raises(Cancelled):
        PROCESSOR(film([5] * 20), should_stop=lambda: next(asked) >= after)
