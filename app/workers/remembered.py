"""Unfinished downloads and conversions, in a file that outlives the app. No Qt."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Errand:
    """What a transfer is to do: fetch `model`, or convert it to `target`."""

    model: str
    kind: Literal["download", "convert"]
    done: int = 0
    total: int = 0
    target: str | None = None
    recipe: str | None = None


def read_errands(file: Path) -> tuple[Errand, ...]:
    """What was written last; nothing where the file is missing or damaged."""
    try:
        return tuple(Errand(**plain) for plain in json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError):
        return ()


def write_errands(file: Path, errands: Iterable[Errand]) -> None:
    """Replace the file at once, so that it is never half of one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f"{file.name}.{os.getpid()}")
    half.write_text(json.dumps([asdict(errand) for errand in errands]))
    half.replace(file)
