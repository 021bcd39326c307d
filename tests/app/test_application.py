"""What starting the window costs and asks for, before anything of it is there."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from app.application import examples
from app.ui import icons

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
LOADED = "import json, sys, app.application; print(json.dumps(sorted(sys.modules)))"


def test_the_window_waits_for_nothing_heavy():
    """What reads models and media belongs to child processes, the rest to a thread."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, check=True, text=True
    )
    heavy = {"mlx", "mlx_lm", "transformers", "tokenizers", "numpy", "PIL", "av"}
    heavy |= {"huggingface_hub", "pygments", "ziamath", "latex2mathml"}
    assert heavy & set(json.loads(done.stdout)) == set()


def test_no_qt_with_known_faults_is_asked_for():
    """6.12.0 loses references to None on CPython 3.11 until it aborts."""
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    asked = {found.name: found for found in map(Requirement, extras["app"])}
    allowed = asked["PySide6-Essentials"].specifier
    assert not any(allowed.contains(bad) for bad in ("6.11.0", "6.11.1", "6.12.0"))
    assert allowed.contains(version("PySide6-Essentials"))


@pytest.mark.usefixtures("qapp")
def test_an_example_of_two_pictures_looks_unlike_one_of_a_picture():
    shown = [(example.icon, len(example.files)) for example in examples()]
    assert shown == [("image", 1), ("images", 2), ("video", 1)]
    assert {icon for icon, _ in shown} <= set(icons.names())
    assert all(file.is_file() for example in examples() for file in example.files)
