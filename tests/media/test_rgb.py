import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from mlx_glm45v.errors import MediaError
from mlx_glm45v.media.rgb import array_to_rgb, to_rgb


def one(image: Image.Image) -> tuple[int, ...]:
    """The first pixel's levels."""
    levels = image.getpixel((0, 0))
    assert isinstance(levels, tuple)
    return levels


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 0, 51), (204, 204, 204)),
        ("LA", (40, 255), (40, 40, 40)),
        ("LA", (40, 0), (255, 255, 255)),
        ("CMYK", (0, 0, 0, 0), (255, 255, 255)),
        ("CMYK", (255, 0, 0, 0), (0, 255, 255)),
        ("YCbCr", (0, 128, 128), (0, 0, 0)),
        ("HSV", (0, 0, 255), (255, 255, 255)),
        ("I;16", 65535, (255, 255, 255)),
        ("I;16", 257 * 9, (9, 9, 9)),
        ("I", 65535, (255, 255, 255)),
        ("I", 200, (200, 200, 200)),
        ("F", 0.5, (128, 128, 128)),
        ("F", 200.0, (200, 200, 200)),
    ],
)
def test_every_mode_becomes_rgb_on_white(
    mode: str, colour: object, expected: tuple[int, int, int]
) -> None:
    found = to_rgb(Image.new(mode, (2, 2), colour))
    assert found.mode == "RGB"
    assert one(found) == expected


def test_a_palette_keeps_its_colours_and_its_holes() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 0, 0, 0, 200, 0])
    image.putpixel((1, 0), 1)
    image.info["transparency"] = 1
    assert np.asarray(to_rgb(image)).tolist() == [[[200, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations_are_undone(orientation: int) -> None:
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    as_stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(as_stored)).save(file, "PNG", exif=exif)
    found = np.asarray(to_rgb(Image.open(file)))
    assert found[..., 0].tolist() == upright.tolist()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_broken_exif_block_leaves_the_picture_as_it_is() -> None:
    image = Image.new("RGB", (3, 2), "red")
    image.info["exif"] = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 9
    assert to_rgb(image).size == (3, 2)


def profile(name: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


def test_an_embedded_srgb_profile_changes_no_pixel() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    image = Image.fromarray(levels)
    image.info["icc_profile"] = profile("sRGB")
    assert np.array_equal(np.asarray(to_rgb(image)), levels)


def test_a_profile_that_is_almost_srgb_changes_no_pixel() -> None:
    exact = profile("sRGB")
    place = int.from_bytes(exact[exact.index(b"rXYZ") :][4:8], "big") + 8
    more_red = int.from_bytes(exact[place : place + 4], "big") + 150
    image = Image.new("RGB", (2, 2), (201, 102, 53))
    # Converted, its red would be 202.
    image.info["icc_profile"] = (
        exact[:place] + more_red.to_bytes(4, "big") + exact[place + 4 :]
    )
    assert one(to_rgb(image)) == (201, 102, 53)


def test_another_colour_space_becomes_srgb() -> None:
    image = Image.new("RGB", (2, 2), (200, 40, 40))
    image.info["icc_profile"] = swapped_primaries()
    red, green, _ = one(to_rgb(image))
    assert green > red


def swapped_primaries() -> bytes:
    """sRGB's profile with the places of red's and green's primaries exchanged."""
    return (
        profile("sRGB")
        .replace(b"rXYZ", b"????")
        .replace(b"gXYZ", b"rXYZ")
        .replace(b"????", b"gXYZ")
    )


@pytest.mark.parametrize("broken", [b"nothing", profile("LAB"), profile("sRGB")[:300]])
def test_a_profile_that_does_not_fit_is_left_out(broken: bytes) -> None:
    image = Image.new("RGB", (2, 2), (200, 40, 40))
    image.info["icc_profile"] = broken
    assert one(to_rgb(image)) == (200, 40, 40)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((2, 3), 9, np.uint8), (9, 9, 9)),
        (np.full((2, 3, 1), 9, np.uint8), (9, 9, 9)),
        (np.full((2, 3, 3), 9, np.uint8), (9, 9, 9)),
        (np.full((2, 3, 4), 0, np.uint8), (255, 255, 255)),
        (np.full((2, 3), 65535, np.uint16), (255, 255, 255)),
        (np.full((2, 3, 3), 9 * 257, np.uint16), (9, 9, 9)),
        (np.full((2, 3), True), (255, 255, 255)),
        (np.full((2, 3), 0.2, np.float64), (51, 51, 51)),
        (np.full((2, 3, 3), 1.0, np.float16), (255, 255, 255)),
        (np.full((3, 2), 9, np.uint8).T, (9, 9, 9)),
    ],
)
def test_arrays_are_pictures(array: np.ndarray, expected: tuple[int, ...]) -> None:
    found = array_to_rgb(array, name="a")
    assert found.size == (3, 2)
    assert one(found) == expected


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros((2, 2, 2), np.uint8), "channels last"),
        (np.zeros((3, 20, 20), np.uint8), "channels last"),
        (np.zeros(5, np.uint8), "channels last"),
        (np.zeros((0, 5), np.uint8), "no pixels"),
        (np.zeros((5, 0, 3), np.uint8), "no pixels"),
        (np.zeros((2, 2), np.int64), "type int64"),
        (np.zeros((2, 2), np.complex64), "type complex64"),
        (np.array([["a"]]), "type <U1"),
        (np.full((2, 2), np.nan), "NaN"),
        (np.full((2, 2), np.inf), "NaN or infinity"),
        (np.full((2, 2), 255.0), "255 to 255; 0..1"),
        (np.full((2, 2), -0.5), "-0.5 to -0.5; 0..1"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(array: np.ndarray, told: str) -> None:
    with pytest.raises(MediaError, match=f"my_array.*{told}"):
        array_to_rgb(array, name="my_array")
