"""How a model is held on a machine: all of it in memory, or its experts in part.

The machine is asked only for what it offers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..config import Glm4vMoeConfig
from ..errors import NotEnoughMemory
from .experts import (
    PREFILL_SHARE,
    PREFILL_TOKENS,
    ExpertPlan,
    expert_budget,
    least_budget,
    plan_beside,
    plan_experts,
)
from .fitting import check_fits
from .footprint import Footprint, smallest_footprint
from .machine import Machine, this_machine
from .sizes import gigabytes
from .weights import WeightSizes


def plan_loading(
    config: Glm4vMoeConfig,
    sizes: WeightSizes,
    *,
    float_bytes: int,
    name: str,
    expert_memory: int | None = None,
    depths: Sequence[Sequence[float]] | None = None,
    force: bool = False,
    machine: Machine | None = None,
) -> ExpertPlan | None:
    """How to hold a model on this machine: None with all of it in memory.

    Without `expert_memory` (bytes) experts are streamed only where the whole does not
    fit, in what a short context and one picture leave of the limit. Raises
    `NotEnoughMemory` when that is too little to be of use, or the given bytes are too
    many. With `force` nothing is refused, and everything is held unless bytes are
    given.
    """
    text = config.text_config
    if force and (expert_memory is None or not sizes.experts):
        return None
    machine = machine or this_machine()
    backend = replace(machine.backend, float_bytes=float_bytes)

    def footprint(weights: int, tokens: int = PREFILL_TOKENS[-1]) -> Footprint:
        return smallest_footprint(
            config, weights=weights, backend=backend, prefill_step_size=tokens
        )

    if expert_memory is not None and sizes.experts:
        plan = plan_experts(text, sizes, expert_memory, depths=depths)
        needed = sizes.trunk + plan.nbytes
        if not force and footprint(needed).total > machine.limit:
            _refuse(footprint(sizes.total), sizes, machine, asked=plan, name=name)
        allowed = (
            n for n in PREFILL_TOKENS if footprint(needed, n).total <= machine.limit
        )
        plan = replace(plan, prefill_tokens=next(allowed, plan.prefill_tokens))
        return plan if plan.nbytes < sum(sizes.experts) else None
    whole = footprint(sizes.total)
    if whole.total <= machine.limit or not sizes.experts:
        check_fits(whole, machine, name=name)
        return None
    if plan_beside(whole, sizes, machine) is None:
        check_fits(whole, machine, name=name)
    most = expert_budget(whole, sizes, machine)
    affordable = (
        (tokens, expert_budget(footprint(sizes.total, tokens), sizes, machine))
        for tokens in PREFILL_TOKENS
    )
    enough = max(most - most // PREFILL_SHARE, least_budget(text, sizes))
    tokens, budget = next(pair for pair in affordable if pair[1] >= enough)
    plan = plan_experts(text, sizes, budget, depths=depths)
    return replace(plan, prefill_tokens=tokens)


def _refuse(
    whole: Footprint,
    sizes: WeightSizes,
    machine: Machine,
    *,
    asked: ExpertPlan,
    name: str,
) -> None:
    """Say how much of the experts would fit instead. Raises `NotEnoughMemory`."""
    most = expert_budget(whole, sizes, machine)
    if most < least_budget(whole.config.text_config, sizes):
        check_fits(whole, machine, name=name)
    raise NotEnoughMemory(
        f"{name}: {gigabytes(asked.nbytes)} of experts do not fit beside "
        f"{gigabytes(sizes.trunk)} of other weights, a short context and a picture in "
        f"the {gigabytes(machine.limit)} that {machine.name} offers "
        f"({machine.limit_name}); {gigabytes(most)} do (expert_memory, "
        "--expert-memory), or leave it away"
    )
