"""A video -> frame pairs as patches, each with its seconds.

Knows which rule a checkpoint samples by and how its budget is shared among frames. Does
not know prompts. Frames are resized as they are decoded; what is kept are the patches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mlx_glm45v.errors import Cancelled, CheckpointError, MediaError
from mlx_glm45v.media.fetch import DEFAULT_LIMITS, FetchLimits
from mlx_glm45v.media.images import load_image
from mlx_glm45v.media.sources import fetched, source_name
from mlx_glm45v.processing.frame_sampling import (
    EvenRate,
    SamplingRule,
    SteppedRate,
    seconds_at,
)
from mlx_glm45v.processing.image_processor import ImageProcessor, Patches, resize

if TYPE_CHECKING:
    from mlx_glm45v.media.videos import VideoInfo


# Pixels of a whole video where a checkpoint's file says nothing: 30,000 tokens.
DEFAULT_SIZE = {"shortest_edge": 112 * 112, "longest_edge": 28 * 28 * 2 * 30_000}


@dataclass(frozen=True, eq=False)
class VideoPatches:
    """A video as the model takes it.

    `pairs` holds one one-frame grid for each pair of frames, `seconds` the time of its
    first frame; `width` and `height` are the video's own upright pixels.
    """

    pairs: tuple[Patches, ...]
    seconds: tuple[float, ...]
    width: int
    height: int


@dataclass(frozen=True)
class VideoProcessor:
    """Samples, resizes and cuts videos by a checkpoint's configuration.

    `frames` resizes and cuts; its budget counts frames * height * width of a whole
    video. Source: transformers' `Glm4vVideoProcessor` and `Glm46VVideoProcessor`.
    """

    frames: ImageProcessor
    rule: SamplingRule

    @classmethod
    def from_dict(cls, preprocessor_config: Mapping[str, Any]) -> VideoProcessor:
        """Read the values of a video_preprocessor_config.json, or of a picture's.

        Where `size` is missing the budget is the reference's own default, 30,000
        tokens. The sampling rule is that of `video_processor_type`, else
        of `image_processor_type`, else of `processor_class`.

        Raises:
            CheckpointError: see `ImageProcessor.from_dict`; or the rule is unknown.
        """
        budget = preprocessor_config.get("size") or DEFAULT_SIZE
        frames = ImageProcessor.from_dict({**preprocessor_config, "size": budget})
        return cls(frames=frames, rule=_rule_of(preprocessor_config))

    def __call__(
        self,
        source: Any,
        *,
        times: Sequence[float] | None = None,
        fps: float | None = None,
        max_pixels: int | None = None,
        limits: FetchLimits = DEFAULT_LIMITS,
        should_stop: Callable[[], bool] | None = None,
    ) -> VideoPatches:
        """Patches of a video file (path, bytes, address), or of frames with `times`.

        A file is sampled, at `fps` frames a second if given. Frames (a sequence of
        pictures, or an array of shape (frames, height, width, channels)) are all taken,
        at the seconds `times`. `max_pixels` lowers the budget of frames * height *
        width.

        Raises:
            MediaError: the source cannot be used; names it and says what to do.
            Cancelled: `should_stop` returned True.
        """
        if fps is not None and not (math.isfinite(fps) and fps > 0):
            raise MediaError(
                f"{source_name(source)}: fps is {fps}. Give a number above 0"
            )
        if isinstance(source, list | tuple | np.ndarray):
            return self._from_frames(source, times, fps, max_pixels, should_stop)
        if times is not None:
            raise MediaError(
                f"{source_name(source)}: times belong to a list of frames, a video "
                "file has its own. Leave them out"
            )
        return self._from_file(source, fps, max_pixels, limits, should_stop)

    def num_tokens(
        self,
        info: VideoInfo,
        *,
        fps: float | None = None,
        max_pixels: int | None = None,
    ) -> int:
        """Placeholder tokens that a probed video takes (without its time texts)."""
        count = len(self.rule.indices(info, fps=fps))
        size = self.frames.frames_size(
            count, info.width, info.height, max_pixels=max_pixels, name=info.name
        )
        pairs = -(-count // self.frames.temporal_patch_size)
        return pairs * self.frames.tokens_of(*size)

    def time_text(self, seconds: float) -> str:
        """A frame pair's time as the checkpoint writes it: "12" or "12.0 seconds"."""
        return self.rule.time_text(seconds)

    def _from_file(
        self,
        source: Any,
        fps: float | None,
        max_pixels: int | None,
        limits: FetchLimits,
        should_stop: Callable[[], bool] | None,
    ) -> VideoPatches:
        from mlx_glm45v.media.videos import probe, read_frames

        name = source_name(source)
        source = fetched(source, limits=limits, should_stop=should_stop)
        info = probe(source, name=name, should_stop=should_stop)
        indices = self.rule.indices(info, fps=fps)
        size = self.frames.frames_size(
            len(indices), info.width, info.height, max_pixels=max_pixels, name=info.name
        )
        pictures = read_frames(source, indices, info=info, should_stop=should_stop)
        seconds = [seconds_at(info, index) for index in indices]
        return self._pair_up(pictures, seconds, size, (info.width, info.height))

    def _from_frames(
        self,
        source: Sequence[Any] | np.ndarray[Any, Any],
        times: Sequence[float] | None,
        fps: float | None,
        max_pixels: int | None,
        should_stop: Callable[[], bool] | None,
    ) -> VideoPatches:
        name = source_name(source)
        if fps is not None:
            raise MediaError(
                f"{name}: fps chooses among a file's frames, given frames are all "
                "taken. Leave fps out, or give fewer frames"
            )
        seconds = _check_times(times, len(source), name=name)
        first = load_image(source[0])
        count = max(len(source), self.frames.temporal_patch_size)
        size = self.frames.frames_size(
            count, *first.size, max_pixels=max_pixels, name=name
        )
        pictures = _load_frames(source, first.size, name, should_stop)
        return self._pair_up(pictures, seconds, size, first.size)

    def _pair_up(
        self,
        pictures: Iterable[Image.Image],
        seconds: Sequence[float],
        size: tuple[int, int],
        own_size: tuple[int, int],
    ) -> VideoPatches:
        together = self.frames.temporal_patch_size
        pairs: list[Patches] = []
        held: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
        for picture in pictures:
            held.append(resize_frame(picture, *size))
            if len(held) == together:
                pairs.append(self.frames.patches(held))
                held = []
        if held:
            pairs.append(self.frames.patches(held + held[-1:] * (together - len(held))))
        return VideoPatches(tuple(pairs), tuple(seconds[::together]), *own_size)


def resize_frame(
    picture: Image.Image, height: int, width: int
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(height, width, 3): rows first, rounded to 8 bit in between, as torch does it.

    Pillow by itself takes whichever direction costs less first; where one shrinks and
    the other grows, clipping in between then differs by up to 24 levels.
    """
    across = picture.resize((width, picture.height), Image.Resampling.BICUBIC)
    return resize(across, width, height)


def _rule_of(config: Mapping[str, Any]) -> SamplingRule:
    for key in ("video_processor_type", "image_processor_type", "processor_class"):
        kind = config.get(key)
        if kind is None:
            continue
        if kind.startswith("Glm46V"):
            return SteppedRate()
        if kind.startswith("Glm4v"):
            return EvenRate(
                fps=float(config.get("fps") or EvenRate.fps),
                max_duration=float(config.get("max_duration") or EvenRate.max_duration),
            )
        raise CheckpointError(
            f"preprocessor_config has {key}={kind!r}: videos are sampled by the rules "
            "of Glm4vVideoProcessor or Glm46VVideoProcessor. Use a GLM-4.5V or GLM-4.6V"
        )
    raise CheckpointError(
        "preprocessor_config names no video_processor_type, image_processor_type or "
        "processor_class. Copy the file of the original checkpoint"
    )


def _check_times(
    times: Sequence[float] | None, count: int, *, name: str
) -> tuple[float, ...]:
    if count == 0:
        raise MediaError(f"{name}: a video needs at least one frame. Give some")
    if times is None or len(times) != count:
        given = "no" if times is None else str(len(times))
        raise MediaError(
            f"{name} with {given} times. Give the seconds of each frame, {count} in all"
        )
    seconds = tuple(float(value) for value in times)
    if not all(math.isfinite(value) and value >= 0 for value in seconds):
        raise MediaError(f"{name}: times are seconds from 0 on. Check {seconds[:8]}")
    for before, after in pairwise(seconds):
        if after <= before:
            raise MediaError(
                f"{name}: time {after:g} s follows {before:g} s. Give rising times"
            )
    return seconds


def _load_frames(
    source: Sequence[Any] | np.ndarray[Any, Any],
    size: tuple[int, int],
    name: str,
    should_stop: Callable[[], bool] | None,
) -> Iterator[Image.Image]:
    for number, frame in enumerate(source, start=1):
        if should_stop is not None and should_stop():
            raise Cancelled(f"stopped while reading {name}")
        picture = load_image(frame)
        if picture.size != size:
            raise MediaError(
                f"{name}: frame {number} has {picture.width}x{picture.height} pixels, "
                f"the first one {size[0]}x{size[1]}. Give frames of one size"
            )
        yield picture
