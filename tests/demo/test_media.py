"""The README's picture and video."""

import av
import numpy as np
import pytest
from PIL import Image


def test_the_picture_is_the_drawn_scene(demo_media):
    from draw_demo_media import FINE, SCENE, draw, smooth

    with Image.open(demo_media / "example.png") as picture:
        assert picture.size == (448, 336)
        assert picture.tobytes() == smooth(draw(SCENE, scale=FINE)).tobytes()


def test_the_second_picture_differs_in_one_shape(demo_media):
    from draw_demo_media import CHANGED, FINE, draw, smooth

    with Image.open(demo_media / "changed.png") as picture:
        assert picture.tobytes() == smooth(draw(CHANGED, scale=FINE)).tobytes()


def test_the_page_is_twice_the_size_that_the_model_sees(demo_media):
    from draw_demo_media import FINE, PAGE, smooth

    with Image.open(demo_media / "page.png") as picture:
        assert picture.size == (336, 224)
        assert picture.tobytes() == smooth(PAGE.draw(scale=2 * FINE)).tobytes()


@pytest.mark.parametrize(
    ("name", "clip"), [("example.mp4", "CLIP"), ("appears.mp4", "APPEARANCE")]
)
def test_the_video_is_the_drawn_clip(demo_media, name, clip):
    import draw_demo_media

    drawn_clip = getattr(draw_demo_media, clip)
    with av.open(str(demo_media / name)) as file:
        stream = file.streams.video[0]
        assert (stream.width, stream.height) == (320, 240)
        assert float(stream.average_rate) == 24
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]
    assert len(frames) == 96
    for index in (0, 48, 95):
        drawn = np.asarray(drawn_clip.frame(index / 24)).astype(int)
        assert abs(frames[index] - drawn).mean() < 3


@pytest.mark.parametrize(
    "name", ["example.png", "changed.png", "page.png", "example.mp4", "appears.mp4"]
)
def test_media_are_small(demo_media, name):
    assert (demo_media / name).stat().st_size < 100_000
