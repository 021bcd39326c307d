"""How many experts of each layer stay in memory, and what reading the others means.

Arithmetic on bytes. Knows no files and no arrays; the machine is asked only for what it
offers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from operator import mul

from ..config import Glm4vMoeConfig, Glm4vMoeTextConfig
from ..errors import NotEnoughMemory
from .fitting import check_fits
from .footprint import Footprint, smallest_footprint
from .machine import Machine, this_machine
from .report import gigabytes
from .weights import WeightSizes

# Of what could go to experts, the part left to the system's cache of the files: what
# was given up last is then still there, and reading it is a copy.
CACHE_SHARE = 8

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class ExpertPlan:
    """`slots` of each layer with experts, of `experts` that take `expert_bytes` each.

    `chosen` of them are used by a token in each layer.
    """

    experts: int
    chosen: int
    expert_bytes: tuple[int, ...]
    slots: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """What the slots take."""
        return sum(map(mul, self.slots, self.expert_bytes))

    @property
    def resident(self) -> float:
        """The part of all experts' bytes that is in memory."""
        return self.nbytes / (self.experts * sum(self.expert_bytes))

    @property
    def token_bytes(self) -> int:
        """Experts' bytes that a token uses."""
        return self.chosen * sum(self.expert_bytes)

    @property
    def missed_bytes(self) -> float:
        """Bytes read for a token where every expert is as likely as any other."""
        missing = (
            (self.experts - slots) * size
            for slots, size in zip(self.slots, self.expert_bytes, strict=True)
        )
        return self.chosen / self.experts * sum(missing)


def parse_bytes(size: int | str) -> int:
    """`"12GB"`, `"900 MB"`, `"1.5GiB"` or a number -> bytes. Raises ValueError."""
    found = _SIZE.fullmatch(str(size))
    if found is None:
        raise ValueError(f"{size!r} is no size; write it like 12GB or 900MB")
    number, unit, binary = found.groups()
    if binary and not unit:
        raise ValueError(f"{size!r} is no size; write it like 12GB or 900MB")
    power = "kmgt".find(unit.lower()) + 1 if unit else 0
    return int(float(number) * (2 ** (10 * power) if binary else _UNITS[unit.lower()]))


def least_budget(text: Glm4vMoeTextConfig, sizes: WeightSizes) -> int:
    """Bytes of as many experts in each layer as one token uses."""
    each = _each(text, sizes)
    return text.num_experts_per_tok * sum(each)


def plan_experts(
    text: Glm4vMoeTextConfig,
    sizes: WeightSizes,
    budget: int,
    *,
    depths: Sequence[Sequence[int]] | None = None,
) -> ExpertPlan:
    """Cut `budget` bytes into slots.

    Every layer gets as many; with `depths`, how often layer i had to look n experts
    back (an `ExpertProfile`'s, of the layers with experts), each slot goes where it
    saves most reading. Raises `NotEnoughMemory` for less than one token's experts.
    """
    least, experts = text.num_experts_per_tok, text.n_routed_experts
    each = _each(text, sizes)
    if budget < least * sum(each):
        raise NotEnoughMemory(
            f"{gigabytes(budget)} for experts are too little: {least} of "
            f"{experts} in each of {len(each)} layers take "
            f"{gigabytes(least * sum(each))}; give more, or take a conversion with "
            "fewer bits"
        )
    slots = [least] * len(each)
    left = budget - least * sum(each)

    def next_slot(layer: int) -> tuple[float, int, int]:
        """A heap's order: reads saved for a byte, then fewest slots; the layer last."""
        saved = 0 if depths is None else depths[layer][slots[layer]]
        return -saved / each[layer], slots[layer], layer

    heap = [next_slot(layer) for layer in range(len(each)) if slots[layer] < experts]
    heapify(heap)
    while heap:
        *_, layer = heappop(heap)
        if each[layer] <= left:
            slots[layer] += 1
            left -= each[layer]
            if slots[layer] < experts:
                heappush(heap, next_slot(layer))
    return ExpertPlan(experts, least, each, tuple(slots))


def plan_loading(
    config: Glm4vMoeConfig,
    sizes: WeightSizes,
    *,
    float_bytes: int,
    name: str,
    expert_memory: int | None = None,
    depths: Sequence[Sequence[int]] | None = None,
    force: bool = False,
    machine: Machine | None = None,
) -> ExpertPlan | None:
    """How to hold a model on this machine: None with all of it in memory.

    Without `expert_memory` (bytes) experts are streamed only where the whole does not
    fit, in what a short context and one picture leave of the limit. Raises
    `NotEnoughMemory` when that is too little, or the given bytes are too many. With
    `force` the machine is not asked.
    """
    text = config.text_config
    if force and (expert_memory is None or not sizes.experts):
        return None
    machine = machine or this_machine()
    backend = replace(machine.backend, float_bytes=float_bytes)

    def footprint(weights: int) -> Footprint:
        return smallest_footprint(config, weights=weights, backend=backend)

    whole = footprint(sizes.total)
    if expert_memory is not None and sizes.experts:
        plan = plan_experts(text, sizes, expert_memory, depths=depths)
        if not force:
            check_fits(footprint(sizes.trunk + plan.nbytes), machine, name=name)
        return plan if plan.nbytes < sum(sizes.experts) else None
    if whole.total <= machine.limit or not sizes.experts:
        check_fits(whole, machine, name=name)
        return None
    budget = expert_budget(whole, sizes, machine)
    if budget < least_budget(text, sizes):
        check_fits(whole, machine, name=name)
    return plan_experts(text, sizes, budget, depths=depths)


def expert_budget(footprint: Footprint, sizes: WeightSizes, machine: Machine) -> int:
    """Bytes for experts beside all else of a footprint, the file cache's share left."""
    free = machine.limit - replace(footprint, weights=sizes.trunk).total
    return max(0, free - free // CACHE_SHARE)


def _each(text: Glm4vMoeTextConfig, sizes: WeightSizes) -> tuple[int, ...]:
    return tuple(nbytes // text.n_routed_experts for nbytes in sizes.experts)
