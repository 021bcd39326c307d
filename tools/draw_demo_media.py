"""Draw the README's pictures and videos: python tools/draw_demo_media.py."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import av
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from mlx_glm45v.demo.clips import Clip  # noqa: E402
from mlx_glm45v.demo.drawing import Appearance  # noqa: E402
from mlx_glm45v.demo.pages import laid_out  # noqa: E402
from mlx_glm45v.demo.scenes import COLOURS, PAPERS, Figure, Scene, draw  # noqa: E402

MEDIA = ROOT / "mlx_glm45v" / "demo" / "media"
FINE = 4  # drawn this much larger and reduced, so that edges are smooth


def figure(
    colour: str, shape: str, x: float, y: float, radius: float, turn: float = 0.0
) -> Figure:
    """A figure in the colour's own RGB."""
    return Figure(shape, colour, COLOURS[colour], x, y, radius, turn)


SCENE = Scene(
    448,
    336,
    PAPERS[2],
    (
        figure("red", "circle", 92, 128, 58),
        figure("blue", "square", 226, 226, 54, 0.12),
        figure("yellow", "star", 362, 116, 60, -0.1),
    ),
)
CLIP = Clip(
    Scene(320, 240, PAPERS[3], (figure("green", "circle", 56, 124, 36),)),
    direction="right",
    distance=206.0,
    seconds=4.0,
)

CHANGED = replace(
    SCENE, figures=(*SCENE.figures[:2], figure("green", "star", 362, 116, 60, -0.1))
)
APPEARANCE = Appearance(
    Scene(
        320,
        240,
        PAPERS[1],
        (
            figure("blue", "square", 84, 150, 42, 0.1),
            figure("red", "star", 232, 92, 46),
        ),
    ),
    since=2,
    seconds=4.0,
)
PAGE = laid_out(
    ("old", "king", "sleeps", "near", "big", "river", "bird", "sings", "over", "lake"),
    font_size=16.0,
    left=8.0,
    first=16.0,
    pitch=28.0,
)


def smooth(picture: Image.Image) -> Image.Image:
    """The picture at a `FINE`th of its size."""
    return picture.reduce(FINE)


def write_video(clip: Clip | Appearance, path: Path, *, rate: int = 24) -> None:
    """Encode the clip as H.264."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=rate)
        stream.width, stream.height = clip.scene.width, clip.scene.height
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "20"}
        for index in range(round(clip.seconds * rate)):
            picture = smooth(clip.frame(index / rate, scale=FINE))
            file.mux(stream.encode(av.VideoFrame.from_image(picture)))
        file.mux(stream.encode())


if __name__ == "__main__":
    MEDIA.mkdir(exist_ok=True)
    smooth(draw(SCENE, scale=FINE)).save(MEDIA / "example.png", optimize=True)
    smooth(draw(CHANGED, scale=FINE)).save(MEDIA / "changed.png", optimize=True)
    smooth(PAGE.draw(scale=2 * FINE)).save(MEDIA / "page.png", optimize=True)
    write_video(CLIP, MEDIA / "example.mp4")
    write_video(APPEARANCE, MEDIA / "appears.mp4")
    print(*(f"{path.name}: {path.stat().st_size} bytes" for path in MEDIA.iterdir()))
