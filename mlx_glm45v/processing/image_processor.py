"""RGB pictures -> patches, at the size the checkpoint's budget allows.

Knows sizes, normalisation and the order of patches. Does not know files, tokens or mlx.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from mlx_glm45v.errors import CheckpointError, MediaError

MAX_ASPECT_RATIO = 200


def smart_resize(
    num_frames: int,
    height: int,
    width: int,
    *,
    temporal_factor: int,
    factor: int,
    min_pixels: int,
    max_pixels: int,
) -> tuple[int, int]:
    """The (height, width) to resize to: multiples of `factor` within a pixel budget.

    The budget counts frames * height * width. Sides shorter than `factor` are scaled up
    first. A picture that is one `factor` high or wide may exceed the budget. Source:
    `smart_resize` of transformers' `Glm4vImageProcessor`, whose numbers these are.

    Raises:
        MediaError: a side is more than 200 times as long as the other.
        ValueError: fewer frames than `temporal_factor`.
    """
    if num_frames < temporal_factor:
        raise ValueError(f"{num_frames} frames are fewer than {temporal_factor}")
    if min(height, width) < factor:
        scale = max(factor / height, factor / width)
        height, width = int(height * scale), int(width * scale)
    ratio = max(height, width) / min(height, width)
    if ratio > MAX_ASPECT_RATIO:
        raise MediaError(
            f"one side is {ratio:.0f} times as long as the other, at most "
            f"{MAX_ASPECT_RATIO} times is possible. Crop it or cut it in pieces"
        )
    rows, columns = round(height / factor), round(width / factor)
    frames = round(num_frames / temporal_factor) * temporal_factor
    pixels = frames * rows * columns * factor**2
    if pixels > max_pixels:
        shrink = math.sqrt(num_frames * height * width / max_pixels)
        rows = max(1, math.floor(height / shrink / factor))
        columns = max(1, math.floor(width / shrink / factor))
    elif pixels < min_pixels:
        grow = math.sqrt(min_pixels / (num_frames * height * width))
        rows = math.ceil(height * grow / factor)
        columns = math.ceil(width * grow / factor)
    return rows * factor, columns * factor


Frame = np.ndarray[Any, np.dtype[np.uint8]]  # (height, width, 3)


@dataclass(frozen=True, eq=False)
class Patches:
    """One picture (or frame pair), kept as 8-bit pixels until its patches are wanted.

    `grid_thw` is (1, h, w) in patches. `digest` is of the resized pixels and the
    settings: equal digests mean equal values.
    """

    processor: ImageProcessor
    frames: tuple[Frame, ...]
    grid_thw: tuple[int, int, int]
    digest: str

    @property
    def pixel_values(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """float32 of shape (h * w, channels * frames * patch * patch), made anew."""
        return self.processor.pixel_values(self.frames)

    @property
    def num_patches(self) -> int:
        """Rows of `pixel_values`."""
        _, rows, columns = self.grid_thw
        return rows * columns

    @property
    def nbytes(self) -> int:
        """Memory of the 8-bit pixels."""
        return sum(frame.nbytes for frame in self.frames)


@dataclass(frozen=True)
class ImageProcessor:
    """Resizes, normalises and cuts pictures by a checkpoint's preprocessor_config.

    `min_pixels` and `max_pixels` count frames * height * width, a still being
    `temporal_patch_size` equal frames. Source: transformers' `Glm4vImageProcessorPil`.
    """

    min_pixels: int
    max_pixels: int
    patch_size: int = 14
    temporal_patch_size: int = 2
    merge_size: int = 2
    image_mean: tuple[float, ...] = (0.48145466, 0.4578275, 0.40821073)
    image_std: tuple[float, ...] = (0.26862954, 0.26130258, 0.27577711)
    rescale_factor: float = 1 / 255

    @classmethod
    def from_dict(cls, preprocessor_config: Mapping[str, Any]) -> ImageProcessor:
        """Read the values of a preprocessor_config.json.

        Raises:
            CheckpointError: the pixel budget is missing, or a value asks for something
                else than resizing (bicubic), rescaling and normalising RGB.
        """
        config = dict(preprocessor_config)
        _check_supported(config)
        size = config.get("size") or {}
        try:
            shortest, longest = size["shortest_edge"], size["longest_edge"]
        except KeyError as error:
            raise CheckpointError(
                f"preprocessor_config's `size` is {size!r}: it needs shortest_edge and "
                "longest_edge (pixels). Copy the file of the original checkpoint"
            ) from error
        known = ("patch_size", "temporal_patch_size", "merge_size", "rescale_factor")
        return cls(
            min_pixels=int(shortest),
            max_pixels=int(longest),
            image_mean=tuple(config.get("image_mean") or cls.image_mean),
            image_std=tuple(config.get("image_std") or cls.image_std),
            **{key: config[key] for key in known if config.get(key) is not None},
        )

    def __call__(
        self,
        image: Image.Image,
        *,
        max_pixels: int | None = None,
        name: str = "the picture",
    ) -> Patches:
        """Patches of an RGB picture; `max_pixels` lowers the budget of height * width.

        Raises:
            MediaError: the picture is too narrow, or `max_pixels` is under one token;
                `name` is what the message calls it.
        """
        height, width = self.target_size(
            image.width, image.height, max_pixels=max_pixels, name=name
        )
        return self.patches([resize(image, width, height)])

    def num_tokens(
        self, width: int, height: int, *, max_pixels: int | None = None
    ) -> int:
        """Placeholder tokens that a picture of this size takes."""
        rows, columns = self.target_size(width, height, max_pixels=max_pixels)
        return self.tokens_of(rows, columns)

    def tokens_of(self, height: int, width: int) -> int:
        """Placeholder tokens of one resized picture or frame pair."""
        return (height // self.factor) * (width // self.factor)

    @property
    def factor(self) -> int:
        """Pixels that one placeholder token spans in each direction."""
        return self.patch_size * self.merge_size

    def target_size(
        self,
        width: int,
        height: int,
        *,
        max_pixels: int | None = None,
        name: str = "the picture",
    ) -> tuple[int, int]:
        """(height, width) after resizing; see `__call__`."""
        frames = self.temporal_patch_size
        lowered = None if max_pixels is None else max_pixels * frames
        return self.frames_size(frames, width, height, max_pixels=lowered, name=name)

    def frames_size(
        self,
        num_frames: int,
        width: int,
        height: int,
        *,
        max_pixels: int | None,
        name: str,
    ) -> tuple[int, int]:
        """(height, width) after resizing; `max_pixels` counts all frames' pixels."""
        if max_pixels is not None and max_pixels < num_frames * self.factor**2:
            raise MediaError(
                f"{name}: max_pixels is under one token a frame, which takes "
                f"{self.factor}x{self.factor} = {self.factor**2} pixels. Raise it"
            )
        floor, ceiling = self.min_pixels, min(max_pixels or math.inf, self.max_pixels)
        try:
            size = self._fit(num_frames, width, height, floor, int(ceiling))
            if ceiling < self.max_pixels and num_frames * size[0] * size[1] > ceiling:
                # A lowered budget outranks the floor that enlarged the picture.
                size = self._fit(num_frames, width, height, 0, int(ceiling))
        except MediaError as error:
            raise MediaError(f"{name} ({width}x{height}): {error}") from error
        return size

    def _fit(
        self, num_frames: int, width: int, height: int, floor: int, ceiling: int
    ) -> tuple[int, int]:
        return smart_resize(
            num_frames,
            height,
            width,
            temporal_factor=self.temporal_patch_size,
            factor=self.factor,
            min_pixels=floor,
            max_pixels=ceiling,
        )

    def patches(self, frames: Sequence[Frame]) -> Patches:
        """One still, or `temporal_patch_size` frames, resized already."""
        height, width, _ = frames[0].shape
        grid = (1, height // self.patch_size, width // self.patch_size)
        return Patches(self, tuple(frames), grid, self._digest(frames))

    def pixel_values(
        self, frames: Sequence[Frame]
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Cut one still, or `temporal_patch_size` frames, of shape (height, width, 3).

        Rows go by merge windows: (h / merge, w / merge, merge, merge); a row is
        (channel, frame, patch, patch).
        """
        merge, patch = self.merge_size, self.patch_size
        together = self.temporal_patch_size
        height, width, channels = frames[0].shape
        rows, columns = height // patch, width // patch
        windows = (rows // merge, columns // merge, merge, merge)
        values = np.empty((*windows, channels, together, patch, patch), np.float32)
        table = _levels(self.image_mean, self.image_std, self.rescale_factor)
        copies = together // len(frames)
        for number, frame in enumerate(frames):
            at = slice(number * copies, (number + 1) * copies)
            for channel in range(channels):
                plane = table[channel].take(frame[..., channel], mode="clip")
                cut = plane.reshape(
                    rows // merge, merge, patch, columns // merge, merge, patch
                ).transpose(0, 3, 1, 4, 2, 5)
                values[:, :, :, :, channel, at] = cut[:, :, :, :, None]
        return values.reshape(rows * columns, -1)

    def _digest(self, frames: Sequence[np.ndarray[Any, Any]]) -> str:
        digest = hashlib.sha256(repr((self, frames[0].shape)).encode())
        for frame in frames:
            digest.update(np.ascontiguousarray(frame).data)
        return digest.hexdigest()


def resize(
    image: Image.Image, width: int, height: int
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(height, width, 3): bicubic with antialiasing on 8-bit levels, by Pillow."""
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


@lru_cache(maxsize=8)
def _levels(
    mean: tuple[float, ...], std: tuple[float, ...], rescale_factor: float
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(channels, 256): each grey level's normalised value, rounded as the reference's.

    Rescaling happens in float64, the rest in float32.
    """
    rescaled = (np.arange(256) * rescale_factor).astype(np.float32)
    means = np.asarray(mean, np.float32)[:, None]
    return (rescaled[None] - means) / np.asarray(std, np.float32)[:, None]


def _check_supported(config: Mapping[str, Any]) -> None:
    """Refuse a config whose steps are not the ones this file takes."""
    for key in ("do_resize", "do_rescale", "do_normalize", "do_convert_rgb"):
        if config.get(key) is False:
            raise CheckpointError(
                f"preprocessor_config has {key}=false: pictures are always resized, "
                "rescaled and normalised as RGB. Remove it, or use the original file"
            )
    if config.get("resample") not in (None, Image.Resampling.BICUBIC):
        raise CheckpointError(
            f"preprocessor_config has resample={config['resample']!r}: only 3 "
            "(bicubic) is known. Use the original file"
        )
