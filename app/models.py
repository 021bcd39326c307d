"""Models as the app lists them, and how the one in use is doing. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ModelPlace = Literal["demo", "folder", "hub"]
# "partial": some of it was fetched, and fetching may go on. "broken": see `problem`.
ModelOnDisk = Literal["ready", "partial", "absent", "broken"]
Fit = Literal["yes", "streamed", "raised", "no", "unknown"]


@dataclass(frozen=True)
class ModelEntry:
    """One row of the models page.

    `name` is what the library loads: `"demo"`, a folder's path or a repository id.
    `size` and `fetched` are bytes of all its files and of those on this disk. `fits`
    says whether it runs here ("streamed": reading experts from disk as they are chosen,
    "raised": with a larger share for the GPU), `pace` how many tokens a second a slow
    and a fast disk allow where it is "streamed", `sums` are the lines of the sum behind
    that. `convertible` marks a folder or repository that has to be converted before it
    can run.
    """

    name: str
    title: str
    place: ModelPlace
    on_disk: ModelOnDisk
    size: int | None = None
    fetched: int = 0
    bits: float | None = None
    context_length: int | None = None
    fits: Fit = "unknown"
    pace: tuple[float, float] | None = None
    sums: tuple[str, ...] = ()
    problem: str | None = None
    convertible: bool = False


@dataclass(frozen=True)
class Transfer:
    """A download or a conversion under way, or resting.

    `done` of `total` bytes; `rate` in bytes a second; `seconds_left` is None while
    unknown.
    """

    model: str
    kind: Literal["download", "convert"]
    state: Literal["running", "paused", "verifying", "done", "failed"]
    done: int = 0
    total: int = 0
    rate: float = 0.0
    seconds_left: float | None = None
    item: str = ""
    problem: str | None = None


EnginePhase = Literal["off", "loading", "ready", "working", "failed"]


@dataclass(frozen=True)
class EngineState:
    """How the model's process is doing.

    `model` is its name, None when nothing is loaded. `done` of `total` bytes are
    loaded. `memory` is what the model takes in bytes. `problem` is why it failed, in
    plain words; `restartable` tells that starting the model again may help, `forceable`
    that it was refused for its size and may be loaded all the same.
    """

    phase: EnginePhase = "off"
    model: str | None = None
    title: str = ""
    done: int = 0
    total: int = 0
    context_length: int = 0
    memory: int = 0
    machine_memory: int = 0
    problem: str | None = None
    restartable: bool = False
    forceable: bool = False
