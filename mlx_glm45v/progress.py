"""How far something long has come: one value for downloads, loading and conversion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Progress:
    """`done` of `total` bytes of a stage; `item` is the file or layer at work."""

    stage: Literal["download", "load", "convert", "verify"]
    done: int
    total: int
    item: str


ProgressCallback = Callable[[Progress], None]
ShouldStop = Callable[[], bool]
