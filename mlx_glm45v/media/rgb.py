"""Pixels of any kind -> upright 8-bit RGB on white.

Knows modes, depths, transparency, orientation and colour profiles. Does not know files.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from mlx_glm45v.errors import MediaError

WHITE = (255, 255, 255, 255)
ORIENTATION_TAG = 0x0112
# EXIF's orientation, and what brings a picture upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The colour space a profile must speak of to fit a mode.
PROFILE_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
MAX_PROFILE_BYTES = 4 * 2**20
# Profiles whose colours differ less from sRGB's (in grey levels) are left alone.
PROFILE_TOLERANCE = 2


def to_rgb(image: Image.Image) -> Image.Image:
    """An upright RGB picture of a decoded one of any mode.

    Transparency is laid on white as `convert_to_rgb` of transformers does it; 16-bit
    grey is scaled to 8 bit; floats are taken as 0..1 when none is above 1, else as
    0..255; colours with an embedded profile other than sRGB become sRGB.
    """
    turn = TURNS.get(_orientation(image))
    image = _eight_bit(image)
    if _is_transparent(image):
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, WHITE), layer)
        rgb = image.convert("RGB")
    else:
        rgb = _to_srgb(image) or image.convert("RGB")
    return rgb if turn is None else rgb.transpose(turn)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """The (width, height) that `to_rgb` would give; pixels are not read."""
    width, height = image.size
    # Orientations from 5 on lie on their side.
    return (height, width) if 5 <= _orientation(image) <= 8 else (width, height)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION_TAG, 1))
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError):
        return 1  # a broken EXIF block says nothing about the pixels


def _is_transparent(image: Image.Image) -> bool:
    return (
        image.mode in ("RGBA", "LA", "PA", "RGBa", "La")
        or image.info.get("transparency") is not None
    )


def _eight_bit(image: Image.Image) -> Image.Image:
    """Modes of deeper pixels (I;16*, I, F) as mode L; all others as they are."""
    if image.mode.startswith("I;16"):
        levels = np.asarray(image).astype(np.float32) / 257.0
    elif image.mode in ("I", "F"):
        levels = np.asarray(image).astype(np.float32)
        top = float(levels.max(initial=0.0))
        if image.mode == "F" and top <= 1.0:
            levels = levels * 255.0
        elif top > 255.0:
            levels = levels / 257.0
    else:
        return image
    whole = np.rint(np.nan_to_num(levels)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(whole)


def _to_srgb(image: Image.Image) -> Image.Image | None:
    """The colours as sRGB, when a usable profile of another space is embedded."""
    profile = image.info.get("icc_profile")
    space = PROFILE_SPACES.get(image.mode)
    if not profile or space is None or len(profile) > MAX_PROFILE_BYTES:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        told = source.profile
        if not isinstance(told, ImageCms.core.CmsProfile):
            return None
        if told.xcolor_space.strip() != space:
            return None
        transform = ImageCms.buildTransform(
            source, ImageCms.createProfile("sRGB"), image.mode, "RGB"
        )
        if image.mode != "CMYK" and _changes_nothing(transform, image.mode):
            return None
        return ImageCms.applyTransform(image, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # a broken profile says nothing about the pixels


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a coarse cube of colours comes out as it went in."""
    axis = np.arange(0, 256, 51, dtype=np.uint8)
    if mode == "L":
        before = np.repeat(axis[None, :, None], 3, axis=2)
        swatch = Image.fromarray(axis[None, :])
    else:
        before = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(1, -1, 3)
        swatch = Image.fromarray(before)
    after = np.asarray(ImageCms.applyTransform(swatch, transform))
    return int(np.abs(after.astype(int) - before).max()) <= PROFILE_TOLERANCE


def array_to_rgb(array: np.ndarray[Any, Any], *, name: str) -> Image.Image:
    """A picture of an array of shape (height, width) or (height, width, 1, 3 or 4).

    uint8 is 0..255, uint16 0..65535, bool black and white, floats 0..1.

    Raises:
        MediaError: another shape or type, no pixels, or floats outside of 0..1.
    """
    shape = array.shape
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise MediaError(
            f"{name} is no picture. "
            "Give (height, width), or (height, width, 3 or 4) with channels last"
        )
    if 0 in shape:
        raise MediaError(f"{name} has no pixels. Give at least one row and column")
    levels = _array_levels(array, name=name)
    return to_rgb(Image.fromarray(levels[..., 0] if shape[2:] == (1,) else levels))


def _array_levels(array: np.ndarray[Any, Any], *, name: str) -> np.ndarray[Any, Any]:
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return np.rint(array.astype(np.float32) / 257.0).astype(np.uint8)
    if not np.issubdtype(array.dtype, np.floating):
        raise MediaError(
            f"{name} has values of type {array.dtype}. "
            "Convert them to uint8 (0..255), uint16 or float (0..1)"
        )
    if not np.isfinite(array).all():
        raise MediaError(f"{name} holds NaN or infinity. Replace them with 0..1")
    low, high = float(array.min()), float(array.max())
    if low < 0.0 or high > 1.0:
        raise MediaError(
            f"{name} has floats from {low:g} to {high:g}; 0..1 is understood. "
            "Scale them, or convert them to uint8"
        )
    return np.rint(array.astype(np.float32) * 255.0).astype(np.uint8)
