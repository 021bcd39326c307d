"""A routing replayed through the engine's slots: what would be read, token by token.

The same `SlotTable` as the engine's, in the same order of calls. No weights, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.offload_routings import Routing
from mlx_glm45v.offload.profile import ExpertProfile
from mlx_glm45v.offload.slots import SlotTable

Counts = NDArray[np.int32]


@dataclass(frozen=True)
class Replay:
    """Experts of each token and layer, all (tokens, layers).

    `missed` had to be read when they were chosen, `ahead` were read on a guess before,
    `wasted` are those of them that were not chosen then.
    """

    chosen: int
    missed: Counts
    ahead: Counts
    wasted: Counts

    @property
    def hit_rate(self) -> float:
        """The part of choices that was in memory without having been guessed."""
        used = self.ahead - self.wasted
        return 1 - float((self.missed + used).mean()) / self.chosen

    @property
    def read(self) -> Counts:
        """Experts read, guesses included."""
        return self.missed + self.ahead


def replay(
    routing: Routing,
    *,
    experts: int,
    slots: Sequence[int],
    warm_up: int,
    guess: Routing | None = None,
    most: int | None = None,
    hot: ExpertProfile | None = None,
) -> Replay:
    """Token by token through `slots[layer]`; the first `warm_up` tokens count nothing.

    Of what is guessed and not in memory the first `most` are read, None: all of them.
    `hot` names the experts that leave last: half a layer's slots at most, as loading
    does it. A layer with a slot for each expert has them all from the start.
    """
    tokens, layers, chosen = routing.shape
    tables = [
        SlotTable(
            experts,
            count,
            hot=() if hot is None else hot.favourites(layer, count // 2),
        )
        for layer, count in enumerate(slots)
    ]
    for table in tables:
        if table.slots == experts:
            _bring(table, list(range(experts)))
    missed, ahead, wasted = (np.zeros((tokens, layers), np.int32) for _ in range(3))
    for token in range(tokens):
        for layer, table in enumerate(tables):
            wanted: list[int] = routing[token, layer].tolist()
            if guess is not None and layer:
                early = _read_ahead(table, guess[token, layer].tolist(), most)
                ahead[token, layer] = len(early)
                wasted[token, layer] = len(set(early) - set(wanted))
            missed[token, layer] = _bring(table, wanted)
    rest = slice(warm_up, None)
    return Replay(chosen, missed[rest], ahead[rest], wasted[rest])


def profile_of(routing: Routing, *, experts: int) -> ExpertProfile:
    """What the engine would have noted down over these tokens."""
    profile = ExpertProfile(routing.shape[1], experts)
    for token in routing:
        for layer, chosen in enumerate(token.tolist()):
            profile.add(layer, chosen)
    return profile


def _bring(table: SlotTable, wanted: list[int]) -> int:
    missing = [expert for expert in wanted if expert not in table]
    for expert, slot in zip(
        missing, table.reserve(len(missing), keep=wanted), strict=True
    ):
        table.fill(expert, slot)
    table.touch(wanted)
    return len(missing)


def _read_ahead(table: SlotTable, guessed: list[int], most: int | None) -> list[int]:
    room = table.slots // 2
    missing = [expert for expert in guessed if expert not in table]
    missing = missing[: room if most is None else min(most, room)]
    slots = table.reserve(len(missing), keep=guessed)
    for expert, slot in zip(missing, slots, strict=False):
        table.fill(expert, slot)
    return missing[: len(slots)]
