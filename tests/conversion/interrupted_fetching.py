"""A conversion by shard in a process of its own, killed at a moment of its progress.

Imported by the children of `test_fetching`, so it imports no test tools.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import huggingface_hub

from mlx_glm45v.conversion.fetching import convert_by_shard
from mlx_glm45v.progress import Progress

REPO = "somebody/GLM-tiny"
RECIPE = "mac-64gb"


def die() -> None:
    """As in a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed_when(url: str, target: Path, cache: Path, stage: str, call: int) -> None:
    """Run until the progress of a stage was told so many times, then die."""
    calls = 0

    def progress(value: Progress) -> None:
        nonlocal calls
        calls += value.stage == stage
        if calls == call:
            die()

    _convert(url, target, cache, progress)


def killed_after_bytes(url: str, target: Path, cache: Path, nbytes: int) -> None:
    """Run until so many bytes were fetched, then die."""

    def progress(value: Progress) -> None:
        if value.stage == "download" and value.done >= nbytes:
            die()

    _convert(url, target, cache, progress)


def killed_after_seconds(url: str, target: Path, cache: Path, seconds: float) -> None:
    """Run until a timer kills the process, wherever it is."""
    timer = threading.Timer(seconds, die)
    timer.daemon = True
    timer.start()
    _convert(url, target, cache, lambda _: None)


def _convert(
    url: str, target: Path, cache: Path, progress: Callable[[Progress], None]
) -> None:
    os.environ.update(HF_ENDPOINT=url, NO_PROXY="127.0.0.1")
    huggingface_hub.constants.HF_HUB_OFFLINE = False
    convert_by_shard(REPO, target, recipe=RECIPE, cache_dir=cache, progress=progress)
