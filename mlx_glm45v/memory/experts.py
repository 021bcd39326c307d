"""How many experts of each layer stay in memory, and what reading the others means.

Arithmetic on bytes. Knows no files and no arrays, and asks no machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from operator import mul

from ..config import Glm4vMoeTextConfig
from ..errors import NotEnoughMemory
from .footprint import Footprint
from .machine import Machine
from .sizes import gigabytes
from .weights import WeightSizes

# Of what could go to experts, the part left to the system's cache of the files: what
# was given up last is then still there, and reading it is a copy.
CACHE_SHARE = 8

# Bytes a second: SSDs of current Macs from slow to fast, and an M4 Pro's memory.
DISK_BANDWIDTHS = (2.5e9, 7e9)
MEMORY_BANDWIDTH = 273e9
# Nobody is put to a model unasked that reads for longer than this for a token.
LONGEST_READ = 1.0

# A longer piece of a prompt reads each expert for more tokens, but takes memory that
# could hold experts: at most so small a part of what they get is given for it.
PREFILL_TOKENS = (8192, 4096, 2048)
PREFILL_SHARE = 16


@dataclass(frozen=True)
class ExpertPlan:
    """`slots` of each layer with experts, of `experts` that take `expert_bytes` each.

    `chosen` of them are used by a token in each layer; all else takes `trunk_bytes`.
    Beside the slots memory allows `prefill_tokens` of a prompt at once.
    """

    experts: int
    chosen: int
    expert_bytes: tuple[int, ...]
    slots: tuple[int, ...]
    trunk_bytes: int
    prefill_tokens: int = PREFILL_TOKENS[-1]

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

    @property
    def pace(self) -> tuple[float, float]:
        """Tokens a second that the slow and the fast ones of Macs' SSDs allow."""
        slow, fast = map(self.tokens_per_second, DISK_BANDWIDTHS)
        return slow, fast

    def tokens_per_second(self, disk: float) -> float:
        """What `disk` bytes a second allow, by `missed_bytes` and memory's own pace."""
        used = self.trunk_bytes + self.token_bytes
        return 1 / (self.missed_bytes / disk + used / MEMORY_BANDWIDTH)


def least_budget(text: Glm4vMoeTextConfig, sizes: WeightSizes) -> int:
    """Bytes of as many experts in each layer as one token uses."""
    each = _each(text, sizes)
    return text.num_experts_per_tok * sum(each)


def plan_experts(
    text: Glm4vMoeTextConfig,
    sizes: WeightSizes,
    budget: int,
    *,
    depths: Sequence[Sequence[float]] | None = None,
) -> ExpertPlan:
    """Cut `budget` bytes into slots.

    Every layer gets as many; with `depths`, the part of choices for which layer i had
    to look n experts back (an `ExpertProfile`'s), each slot goes where the next one
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
    return ExpertPlan(experts, least, each, tuple(slots), sizes.trunk)


def plan_beside(
    footprint: Footprint, sizes: WeightSizes, machine: Machine
) -> ExpertPlan | None:
    """The experts that a machine has room for beside all else of a footprint.

    None where that is less than one token's, or so little that a fast disk would read
    for more than a second for each token.
    """
    text = footprint.config.text_config
    budget = expert_budget(footprint, sizes, machine)
    if not sizes.experts or budget < least_budget(text, sizes):
        return None
    plan = plan_experts(text, sizes, budget)
    slow = plan.missed_bytes / DISK_BANDWIDTHS[-1] > LONGEST_READ
    return None if slow else plan


def expert_budget(footprint: Footprint, sizes: WeightSizes, machine: Machine) -> int:
    """Bytes for experts beside all else of a footprint, the file cache's share left."""
    free = machine.limit - replace(footprint, weights=sizes.trunk).total
    return max(0, free - free // CACHE_SHARE)


def _each(text: Glm4vMoeTextConfig, sizes: WeightSizes) -> tuple[int, ...]:
    return tuple(nbytes // text.n_routed_experts for nbytes in sizes.experts)
