import base64
import io
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mlx_glm45v.errors import MediaError
from mlx_glm45v.media.images import load_image

SMOOTH = np.mgrid[:48, :64].sum(0)[..., None] * 2 % 256 * np.ones(3)
PICTURE = Image.fromarray((SMOOTH // 2 + 30).astype(np.uint8))


def encoded(kind: str, image: Image.Image = PICTURE) -> bytes:
    file = io.BytesIO()
    if kind == "HEIC":
        pillow_heif.from_pillow(image).save(file, quality=95)
    else:
        image.save(file, kind)
    return file.getvalue()


FILES = {
    kind: encoded(kind)
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")
}


@pytest.mark.parametrize("kind", FILES)
def test_every_format_is_read_from_a_path_and_from_bytes(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(FILES[kind])
    for source in (path, str(path), FILES[kind]):
        found = load_image(source)
        assert (found.mode, found.size) == ("RGB", (64, 48))
        difference = np.asarray(found).astype(int) - np.asarray(PICTURE)
        assert np.abs(difference).mean() < 8


def test_addresses_are_read(server) -> None:
    assert load_image(server.address("/photo.png")).size == (40, 30)
    url = "data:image/png;base64," + base64.b64encode(FILES["PNG"]).decode()
    assert load_image(url).size == (64, 48)


def test_pictures_and_arrays_are_taken() -> None:
    assert load_image(PICTURE.convert("L")).mode == "RGB"
    assert load_image(np.zeros((5, 7), np.uint8)).size == (7, 5)


def test_the_callers_picture_stays_as_it_is() -> None:
    given_image = Image.new("RGBA", (5, 5), (1, 2, 3, 4))
    load_image(given_image)
    assert given_image.getpixel((0, 0)) == (1, 2, 3, 4)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_the_first_frame_stands_for_an_animation(kind: str) -> None:
    file = io.BytesIO()
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    red, _, blue = load_image(file.getvalue()).getpixel((8, 8))
    assert red > 200
    assert blue < 50


def test_a_grey_png_of_16_bit_keeps_its_brightness() -> None:
    levels = (np.arange(64, dtype=np.uint16) * 1024).reshape(8, 8)
    found = np.asarray(load_image(encoded("PNG", Image.fromarray(levels))))
    assert np.abs(found[..., 0] - levels / 257.0).max() <= 0.5


def test_an_inverted_cmyk_jpeg_as_adobe_writes_it_keeps_its_colours() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert b"Adobe" in encoded("JPEG", red)
    levels = np.asarray(load_image(encoded("JPEG", red)))[8, 8]
    assert levels.tolist() == pytest.approx([255, 0, 0], abs=6)


def test_a_phones_sideways_photo_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "HEIC"):
        file = io.BytesIO()
        if kind == "JPEG":
            PICTURE.save(file, kind, exif=exif)
        else:
            pillow_heif.from_pillow(PICTURE).save(file, exif=exif.tobytes())
        assert load_image(file.getvalue()).size == (48, 64)


def test_a_video_among_the_pictures_is_told_for_what_it_is(demo_media: Path) -> None:
    with pytest.raises(MediaError, match=r"example\.mp4 is no picture but a video"):
        load_image(demo_media / "example.mp4")


def test_heic_leaves_pillows_registry_alone() -> None:
    load_image(FILES["HEIC"])
    assert "HEIF" not in Image.OPEN


@pytest.mark.parametrize("kind", ["PNG", "HEIC"])
def test_a_limit_of_pixels_is_kept(kind: str) -> None:
    with pytest.raises(MediaError, match=r"64x48 = 3,072 pixels, the limit is 3,000"):
        load_image(FILES[kind], max_pixels=3000)


def test_importing_it_brings_no_video_no_pdf_and_no_mlx() -> None:
    code = (
        "import sys, mlx_glm45v.media.images, mlx_glm45v.processing.video_processor;"
        "print({'av', 'pypdfium2', 'pillow_heif', 'mlx'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_damaged_file_is_a_picture_or_a_media_error(kind: str, seed: int) -> None:
    chance = random.Random(seed)
    damaged = bytearray(FILES[kind])
    for _ in range(chance.randrange(1, 20)):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    del damaged[chance.randrange(len(damaged) // 2, len(damaged) + 1) :]
    try:
        found = load_image(bytes(damaged), max_pixels=10**6)
    except MediaError:
        return
    assert found.mode == "RGB"
