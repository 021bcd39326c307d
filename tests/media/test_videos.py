import io
import tracemalloc
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from mlx_glm45v.errors import Cancelled, MediaError
from mlx_glm45v.media.videos import probe, read_frames

UNEVEN = [0.0, 0.1, 0.25, 1.0, 1.05, 3.0]
KINDS = ("mp4", "mov", "webm", "matroska", "gif", "avi")


def level(picture: Image.Image) -> int:
    """Which frame it is: each is 8 levels lighter than the one before."""
    return round(float(np.asarray(picture)[-10:].mean()) / 8)


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_rate_is_told(film: Callable[..., bytes], kind: str) -> None:
    info = probe(film(kind, frames=20, rate=10))
    assert (info.rate, info.duration, len(info)) == (10.0, 2.0, 20)
    assert (info.width, info.height) == (64, 48)


@pytest.mark.parametrize("rate", [7, 24, 30, 60])
def test_rounded_time_stamps_count_as_constant(
    film: Callable[..., bytes], rate: int
) -> None:
    info = probe(film("matroska", frames=40, rate=rate))
    assert info.rate == rate
    assert info.duration == 40 / rate


@pytest.mark.parametrize("kind", ["mp4", "mov", "webm", "matroska", "gif"])
def test_a_variable_rate_has_real_times(film: Callable[..., bytes], kind: str) -> None:
    info = probe(film(kind, frames=6, times=UNEVEN))
    assert info.rate is None
    assert info.times == pytest.approx(UNEVEN, abs=0.011)
    assert info.duration >= 3.0


@pytest.mark.parametrize("kind", KINDS)
def test_the_frames_asked_for_come_in_order(
    film: Callable[..., bytes], kind: str
) -> None:
    clip = film(kind, frames=20, key_every=5)
    asked = [0, 3, 4, 11, 12, 19, 19]
    pictures = read_frames(clip, asked, info=probe(clip))
    assert [level(picture) for picture in pictures] == asked


def test_long_gaps_are_jumped_over_by_key_frames(film: Callable[..., bytes]) -> None:
    clip = film("mp4", frames=24, key_every=4)
    info = probe(clip)
    assert len(info.key_ticks) == 6
    polls: list[int] = []
    pictures = read_frames(
        clip, [1, 21], info=info, should_stop=lambda: bool(polls.append(1))
    )
    assert [level(picture) for picture in pictures] == [1, 21]
    assert len(polls) < 18


@pytest.mark.parametrize(
    ("rotation", "size", "corner"),
    [
        (0, (64, 48), (0, 0)),
        (90, (48, 64), (0, -1)),
        (-90, (48, 64), (-1, 0)),
        (180, (64, 48), (-1, -1)),
    ],
)
def test_a_turned_phone_gives_upright_frames(
    film: Callable[..., bytes],
    rotation: int,
    size: tuple[int, int],
    corner: tuple[int, int],
) -> None:
    clip = film("mp4", frames=2, rotation=rotation)
    info = probe(clip)
    assert (info.width, info.height) == size
    (picture,) = read_frames(clip, [0], info=info)
    assert picture.size == size
    levels = np.asarray(picture)[..., 0]
    found = {(y, x) for y in (0, -1) for x in (0, -1) if levels[y, x] > 200}
    assert found == {(corner[1], corner[0])}


def test_sound_beside_the_pictures_is_no_obstacle(film: Callable[..., bytes]) -> None:
    clip = film("mp4", frames=20, audio=True)
    assert len(probe(clip)) == 20


def test_transparent_gif_frames_lie_on_white() -> None:
    clear = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    dark = Image.new("RGBA", (16, 16), (9, 9, 9, 255))
    file = io.BytesIO()
    clear.save(file, "GIF", save_all=True, append_images=[dark], duration=100)
    info = probe(file.getvalue())
    first = next(read_frames(file.getvalue(), [0], info=info))
    assert first.getpixel((8, 8)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("colorspace", "expected"),
    [(av.video.reformatter.Colorspace.ITU709, (255, 0, 0))],
)
def test_the_tagged_colour_matrix_is_used(
    colorspace: int, expected: tuple[int, int, int]
) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 255
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = colorspace
        frame = av.VideoFrame.from_ndarray(red, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=colorspace
        )
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    picture = next(read_frames(file.getvalue(), [0], info=probe(file.getvalue())))
    assert picture.getpixel((30, 30)) == pytest.approx(expected, abs=4)


def test_frames_are_not_kept(film: Callable[..., bytes]) -> None:
    clip = film("mp4", frames=60, size=(640, 480))
    info = probe(clip)
    tracemalloc.start()
    for _ in read_frames(clip, range(60), info=info):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 640 * 480 * 3


def test_reading_stops_when_asked_to(film: Callable[..., bytes]) -> None:
    clip = film("mp4", frames=20)
    info = probe(clip)
    with pytest.raises(Cancelled, match="stopped"):
        probe(clip, should_stop=lambda: True)
    pictures = read_frames(clip, range(20), info=info, should_stop=lambda: True)
    with pytest.raises(Cancelled, match="stopped"):
        list(islice(pictures, 20))


def test_a_name_may_be_given(film: Callable[..., bytes]) -> None:
    with pytest.raises(MediaError, match=r"clip\.mp4 cannot be read"):
        probe(film("mp4")[:300], name="clip.mp4")


def test_a_script_called_mp4_cannot_lead_to_other_files(
    film: Callable[..., bytes], tmp_path: Path
) -> None:
    (tmp_path / "secret.mp4").write_bytes(film("mp4"))
    script = tmp_path / "list.mp4"
    script.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    with pytest.raises(MediaError, match=r"list\.mp4 cannot be read as a video"):
        probe(script)


def test_the_cover_of_a_song_is_no_film() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=16000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        picture = np.zeros((48, 64, 3), np.uint8)
        container.mux(cover.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(cover.encode())
        silence = np.zeros((1, 16000), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    with pytest.raises(MediaError, match="no picture track"):
        probe(file.getvalue())
