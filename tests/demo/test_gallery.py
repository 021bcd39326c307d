"""`make demo`: what it shows, in what order, and where its drawings go."""

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from mlx_glm45v.cli.terminal import Terminal
from mlx_glm45v.demo.gallery import EXHIBITS, MEDIA, Exhibit, show_gallery
from mlx_glm45v.generation.events import Event, TextDelta

SHOWN = """
example.png
> Describe the picture.
There are three shapes. I name them from left to right.
The picture shows a red circle, a blue square and a yellow star.

example.png, changed.png
> What changed?
The first picture shows a red circle, a blue square and a yellow star. \
The second picture shows a red circle, a blue square and a green star.
The star was yellow and is now green.

example.mp4
> Which way does the shape move?
The green circle starts further on the left and ends further on the right.
The shape moves to the right.

appears.mp4
> When does the star appear?
The red star is not there at the start.
The star appears at 2 seconds.

page.png
> Read the text.
I see text. I read it.
old king sleeps near big river bird sings over lake

example.png
> Where is the star?
The yellow star is at the middle right.
The star is here: [[BOX]]
1 box on example.png: FOLDER/box-1.png

example.png
> What colour is the circle?
I see a red circle, a blue square and a yellow star.
The circle is red.

the same conversation
> Where is it?
The red circle is at the middle left.
The circle is here: [[BOX]]
1 box on example.png: FOLDER/box-2.png

example.png, example.mp4
> Does the picture show what moves in the video?
The video shows a green circle. \
The picture shows a red circle, a blue square and a yellow star.
No, only the video shows a green circle.
"""


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


class PressesCtrlC(Terminal):
    """Ctrl-C at the first word."""

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, TextDelta):
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[subprocess.CompletedProcess, Path]:
    """The gallery, begun in a folder of its own, and the folder for temporary files."""
    here, temporary = (tmp_path_factory.mktemp(name) for name in ("here", "temporary"))
    done = subprocess.run(
        [sys.executable, "-m", "mlx_glm45v.demo"],
        cwd=here,
        env={
            **os.environ,
            "PYTHONPATH": str(MEDIA.parents[2]),
            "TMPDIR": str(temporary),
        },
        capture_output=True,
        text=True,
    )
    assert list(here.iterdir()) == []
    return done, temporary


def test_it_shows_files_questions_thoughts_and_right_answers(run):
    done, temporary = run
    assert (done.returncode, done.stderr) == (0, "")
    (folder,) = temporary.glob("glm45v-demo-*")
    heading, _, shown = done.stdout.partition("\n\n")
    assert heading.count("Using the demo") == 1
    assert str(MEDIA) in heading
    shown = re.sub(r"\[\[[\d,]+\]\]", "[[BOX]]", shown.replace(str(folder), "FOLDER"))
    assert shown == SHOWN.lstrip()


def test_drawn_boxes_are_where_it_says(run):
    done, _ = run
    paths = [
        line.partition(": ")[2]
        for line in done.stdout.splitlines()
        if line.startswith("1 box on ")
    ]
    assert len(paths) == 2
    plain = Image.open(MEDIA / "example.png").convert("RGB").tobytes()
    drawn = [Image.open(path).tobytes() for path in paths]
    assert plain not in drawn
    assert drawn[0] != drawn[1]


def test_on_a_terminal_thoughts_are_dimmed(tmp_path):
    out = Tty()
    exhibit = Exhibit(("page.png",), (), ("Read the text.",))
    show_gallery(Terminal(out, out), tmp_path, [exhibit])
    shown = out.getvalue()
    assert "its thought (dimmed)" in shown
    assert "\x1b[2mI see text. I read it.\x1b[0m\n" in shown
    assert shown.endswith("old king sleeps near big river bird sings over lake\n")


def test_ctrl_c_ends_it_without_leaving_the_terminal_dimmed(tmp_path):
    out = Tty()
    with pytest.raises(KeyboardInterrupt):
        show_gallery(PressesCtrlC(out, out), tmp_path, EXHIBITS)
    shown = out.getvalue()
    assert shown.count("> ") == 1
    assert "\x1b[0m\n" in shown.rpartition("\x1b[2m")[2]


def test_every_packaged_file_is_shown():
    shown = {name for each in EXHIBITS for name in (*each.pictures, *each.videos)}
    assert shown == {path.name for path in MEDIA.iterdir()}
