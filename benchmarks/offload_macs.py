"""GLM-4.5V's experts on a Mac, by arithmetic: what stays in memory, what a token costs.

All sizes are the library's own: shapes, recipes, footprints, the planner's slots. Knows
no routings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from benchmarks.offload_replay import Replay
from mlx_glm45v.conversion.recipe_table import released
from mlx_glm45v.conversion.sizes import measure
from mlx_glm45v.memory import ExpertPlan, estimate_footprint, mac, plan_experts
from mlx_glm45v.memory.experts import expert_budget
from mlx_glm45v.memory.formulas import kv_token_bytes
from mlx_glm45v.memory.request import METAL
from mlx_glm45v.memory.weights import WeightSizes, recipe_sizes
from mlx_glm45v.parameters.recipes import Recipe, by_kind

CONTEXT = 8192
MACS = (32, 48, 64)
BITS = (2, 3, 4)
# GB/s: an older SSD, the usual one of a Pro or Max chip, the fastest that is sold.
SSDS = (2.5, 5.0, 7.0)


@dataclass(frozen=True)
class Case:
    """A Mac's memory in GB and the bits of the experts; the rest as in `mac-64gb`."""

    memory_gb: int
    bits: int


@dataclass(frozen=True)
class Budget:
    """What a case leaves for experts, and what a token reads of memory besides them.

    `plan` has as many slots in every layer.
    """

    plan: ExpertPlan
    nbytes: int
    trunk: int
    trunk_read: int

    @property
    def expert_bytes(self) -> int:
        """Bytes of one expert."""
        return self.plan.expert_bytes[0]

    @property
    def token_bytes(self) -> int:
        """What a token reads of memory: trunk, keys and values, its own experts."""
        return self.trunk_read + self.plan.token_bytes


def recipe_of(bits: int) -> Recipe:
    """Experts at `bits`; attention at 5, shared experts, embeddings and head at 6."""
    table = by_kind(
        embeddings=6, attention=5, shared=6, gate_up=bits, down=bits, head=6
    )
    return Recipe(f"experts-{bits}", f"experts at {bits} bits, the rest at 5-6", table)


@cache
def budget_of(case: Case) -> Budget:
    """What the planner leaves of the GPU's share.

    Taken off are trunk, context, workspace, reserve and the page cache's part.
    """
    config, recipe = released(), recipe_of(case.bits)
    sizes = recipe_sizes(config, recipe)
    whole = estimate_footprint(config, context=CONTEXT, weights=sizes.total)
    nbytes = expert_budget(whole, sizes, mac(case.memory_gb))
    nbytes = min(nbytes, sum(sizes.experts))
    plan = plan_experts(config.text_config, sizes, nbytes)
    token = kv_token_bytes(config.text_config, None, METAL)
    read = measure(config, recipe).bytes_per_token - plan.token_bytes
    return Budget(plan, nbytes, sizes.trunk, read + CONTEXT * token)


def split_by(case: Case, depths: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The same bytes cut where `depths`, a profile's, say that they save most."""
    config = released()
    sizes: WeightSizes = recipe_sizes(config, recipe_of(case.bits))
    nbytes = budget_of(case).nbytes
    return plan_experts(config.text_config, sizes, nbytes, depths=depths).slots


def seconds_per_token(
    result: Replay, budget: Budget, *, ssd: float, memory: float
) -> float:
    """Reading what is missing, after what memory gives, layer by layer.

    `ssd` and `memory` are GB/s. Experts that are guessed are read while the layer
    before works; what is not done by then is waited for, wrong guesses too, for reads
    come in order.
    """
    layers = result.missed.shape[1]
    work = budget.token_bytes / (memory * 1e9) / layers
    read = budget.expert_bytes / (ssd * 1e9)
    late = np.maximum(0, result.ahead * read - work)
    return float((work + late + result.missed * read).sum(-1).mean())


def bytes_per_token(result: Replay, budget: Budget) -> float:
    """What is read of the files for a token, guesses included."""
    return float(result.read.sum(-1).mean()) * budget.expert_bytes
