"""Patches of stills and of videos as the real processors make them, in numpy.

Knows resizing, normalising and patch order. Does not know scenes or tokens. The trainer's
own copy of the rule: `tests/demo` compares it with the library's processors.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

FACTOR = 28
PATCH = 14
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)
# Every grey level of every channel, normalised: indexing beats arithmetic on the frames.
LEVELS = ((np.arange(256, dtype=np.float32)[:, None] / 255 - MEAN) / STD).astype(
    np.float32
)


def fitted_size(
    frames: int, height: int, width: int, *, min_pixels: int, max_pixels: int
) -> tuple[int, int]:
    """Height and width in multiples of 28 within the budget of frames * h * w pixels."""
    if min(height, width) < FACTOR:
        grow = FACTOR / min(height, width)
        height, width = int(height * grow), int(width * grow)
    high, wide = round(height / FACTOR) * FACTOR, round(width / FACTOR) * FACTOR
    even = round(frames / 2) * 2
    if even * high * wide > max_pixels:
        shrink = math.sqrt(frames * height * width / max_pixels)
        high = max(FACTOR, math.floor(height / shrink / FACTOR) * FACTOR)
        wide = max(FACTOR, math.floor(width / shrink / FACTOR) * FACTOR)
    elif even * high * wide < min_pixels:
        grow = math.sqrt(min_pixels / (frames * height * width))
        high = math.ceil(height * grow / FACTOR) * FACTOR
        wide = math.ceil(width * grow / FACTOR) * FACTOR
    return high, wide


def resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture at (height, width), bicubic."""
    height, width = size
    if picture.size == (width, height):
        return picture
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def pair_patches(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Patches of two frames (h, w, 3) uint8 -> (h/14 * w/14, 1176) float32."""
    high, wide = first.shape[0] // FACTOR, first.shape[1] // FACTOR
    frames = np.stack([first, second])
    values = np.stack([LEVELS[frames[..., c], c] for c in range(3)])
    windows = values.reshape(3, 2, high, 2, PATCH, wide, 2, PATCH)
    return windows.transpose(2, 5, 3, 6, 0, 1, 4, 7).reshape(high * wide * 4, -1)
