"""Pictures of the app in its main scenes: python tools/screenshots.py [folder].

The real window with the demo model in its real process, over a store of its own in a
temporary folder. Every scene is taken in both themes, at both widths and in a large
font, at 1x and 2x. Linux needs no screen: Xvfb is started, or Qt draws offscreen.
"""

from __future__ import annotations

import argparse
import ctypes.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "build" / "screenshots"
SCALES = (1, 2)
# What the README shows: (scene, theme), at 1180 pixels and 1x.
README = (
    ("empty", "light"),
    ("boxes", "light"),
    ("answer", "dark"),
    ("models", "dark"),
)
DOCS = ROOT / "docs"
_MOST_BYTES = 150_000
# Room for the window at 2x.
_SCREEN = "2600x1800x24"


def main() -> int:
    """Take all pictures; one process for each scale, which Qt reads at its start."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=OUTPUT)
    parser.add_argument("--scale", type=int, choices=SCALES, help="only this one")
    parser.add_argument("--scene", action="append", help="only scenes of this name")
    parser.add_argument("--docs", action="store_true", help="renew the README's four")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    if chosen.inside:
        from shown.session import take

        return take(chosen.folder, chosen.scale, chosen.scene)
    with screen() as environment:
        for scale in (chosen.scale,) if chosen.scale else SCALES:
            status = take_scale(chosen.folder, scale, chosen.scene, environment)
            if status:
                return status
    if chosen.docs:
        for scene, theme in README:
            shrink(chosen.folder / f"{scene}-{theme}-1180-1x.png", DOCS)
    print(f"The pictures are in {chosen.folder}.")
    return 0


def take_scale(
    folder: Path, scale: int, scenes: list[str] | None, environment: dict[str, str]
) -> int:
    """All scenes at one scale, in a process with a data folder of its own."""
    command = [sys.executable, __file__, str(folder), "--inside", "--scale", str(scale)]
    for scene in scenes or ():
        command += ["--scene", scene]
    with TemporaryDirectory(prefix="glm45v-screenshots-") as data:
        own = {
            **os.environ,
            **environment,
            "QT_SCALE_FACTOR": str(scale),
            "GLM45V_APP_DATA": data,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tools")]),
        }
        return subprocess.run(command, env=own, check=False).returncode


@contextmanager
def screen() -> Iterator[dict[str, str]]:
    """The environment in which Qt can draw; ends the screen it had to start."""
    if sys.platform == "darwin" or os.environ.get("QT_QPA_PLATFORM"):
        yield {}
        return
    if not ctypes.util.find_library("xcb-cursor"):
        print("Qt needs libxcb-cursor0 (apt-get install libxcb-cursor0); offscreen.")
        yield {"QT_QPA_PLATFORM": "offscreen"}
        return
    if os.environ.get("DISPLAY"):
        yield {"QT_QPA_PLATFORM": "xcb"}
        return
    if shutil.which("Xvfb") is None:
        print("There is no Xvfb (apt-get install xvfb); drawing offscreen.")
        yield {"QT_QPA_PLATFORM": "offscreen"}
        return
    said, says = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(says), "-screen", "0", _SCREEN, "-nolisten", "tcp"],
        pass_fds=(says,),
        stderr=subprocess.DEVNULL,
    )
    os.close(says)
    try:
        with os.fdopen(said) as answer:
            number = answer.readline().strip()
        if number:
            yield {"QT_QPA_PLATFORM": "xcb", "DISPLAY": f":{number}"}
        else:
            print("Xvfb does not start; drawing offscreen.")
            yield {"QT_QPA_PLATFORM": "offscreen"}
    finally:
        server.terminate()
        server.wait()


def shrink(picture: Path, folder: Path) -> None:
    """A copy with a palette, small enough for a repository."""
    from PIL import Image

    folder.mkdir(exist_ok=True)
    scene, theme = picture.stem.split("-")[:2]
    to = folder / f"{scene}-{theme}.png"
    with Image.open(picture) as full:
        for colors in (256, 128, 64):
            small = full.convert("RGB").quantize(colors, dither=Image.Dither.NONE)
            small.save(to, optimize=True)
            if to.stat().st_size < _MOST_BYTES:
                return
    raise SystemExit(f"{to} has {to.stat().st_size} bytes even in 64 colours.")


if __name__ == "__main__":
    sys.exit(main())
