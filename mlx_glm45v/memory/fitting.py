"""Whether a footprint fits a machine, and what would if it does not.

Compares numbers; asks nobody and reads nothing, but `check_fits` asks for the machine
it runs on when none is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil

from ..errors import NotEnoughMemory
from ..parameters.recipes import RECIPES
from .experts import ExpertPlan, plan_beside
from .footprint import Footprint
from .machine import GIB, SYSTEM_BYTES, Machine, mac, this_machine
from .report import Verdict, described, table
from .sizes import gigabytes
from .weights import WeightSizes, recipe_sizes

MAC_SIZES = (16, 24, 32, 36, 48, 64, 96, 128, 192, 256, 512)
_CONTEXT_STEP = 1024
_RECIPES_SHOWN = 3


def verdict(
    footprint: Footprint, machine: Machine, sizes: WeightSizes | None = None
) -> Verdict:
    """Compare a footprint with one machine's limits.

    With the `sizes` that its weights are made of, experts may be streamed.
    """
    total, most = footprint.total, largest_context(footprint, machine.limit)
    if total <= machine.limit:
        return Verdict(machine, "yes", most)
    plan = None if sizes is None else plan_beside(footprint, sizes, machine)
    if plan is not None:
        raised = total <= machine.raised_limit
        return Verdict(machine, "streamed", most, plan, whole_if_raised=raised)
    return Verdict(machine, "raised" if total <= machine.raised_limit else "no", most)


def verdicts(
    footprint: Footprint,
    sizes: WeightSizes | None = None,
    *,
    memory_gb: Sequence[int] = MAC_SIZES,
) -> tuple[Verdict, ...]:
    """What Macs of these sizes make of a footprint, which should be one for Metal."""
    return tuple(verdict(footprint, mac(size), sizes) for size in memory_gb)


def largest_context(footprint: Footprint, limit: int) -> int:
    """Tokens of context that fit `limit` bytes with the same weights and media.

    A multiple of 1024 or the model's whole context; 0 when not even the media's own
    tokens (or one step) fit.
    """
    whole = footprint.config.context_length
    least = max(1, footprint.request.media_tokens)
    steps = range(_CONTEXT_STEP, whole, _CONTEXT_STEP)
    choices = [step for step in steps if step >= least] + [whole]
    # More context never takes less, so that halving finds the edge.
    low, high = 0, len(choices)
    while low < high:
        middle = (low + high) // 2
        if footprint.with_request(context=choices[middle]).total <= limit:
            low = middle + 1
        else:
            high = middle
    return choices[low - 1] if low else 0


def check_fits(
    footprint: Footprint, machine: Machine | None = None, *, name: str = "the model"
) -> None:
    """Raise `NotEnoughMemory` when a footprint exceeds what a machine offers.

    The message holds the sum and what would fit: smaller weights by the converter's
    recipes, less context, fewer pictures, and on a Mac the wired limit with its risk.
    `machine` is by default the one this runs on.
    """
    machine = machine or this_machine()
    if footprint.total <= machine.limit:
        return
    lines = [
        f"{name} needs {gigabytes(footprint.total)}, {machine.name} offers "
        f"{gigabytes(machine.limit)} ({machine.limit_name}):",
        *table(footprint),
        "what would fit:",
        *(f"  - {way}" for way in _ways_out(footprint, machine)),
    ]
    raise NotEnoughMemory("\n".join(lines))


def _ways_out(footprint: Footprint, machine: Machine) -> Iterator[str]:
    nearest = _nearest(footprint, machine.limit)
    smaller = _smaller_weights(footprint, machine.limit)
    if nearest:
        yield f"these weights with {described(nearest.request)}"
    for name, fitting in smaller:
        size = gigabytes(fitting.weights)
        yield f"a {name} conversion ({size}) with {described(fitting.request)}"
    if smaller:
        yield (
            "convert.py --recipe makes them; mlx-community publishes some, such as "
            "mlx-community/GLM-4.5V-4bit"
        )
    streamed = [] if nearest or smaller else _streamed_recipes(footprint, machine)
    for name, plan in streamed:
        yield (
            f"a {name} conversion (convert.py --recipe) with {plan.resident:.0%} of "
            "its experts in memory and the others read when they are chosen"
        )
    if not nearest and not smaller and not streamed:
        yield "none of the converter's recipes does: a machine with more memory"
    if footprint.total <= machine.raised_limit:
        megabytes = ceil((footprint.total + machine.held) / 2**20)
        yield (
            "a larger share for the GPU, until the next start: sudo sysctl "
            f"iogpu.wired_limit_mb={megabytes}. Close other programs before: Macs left "
            f"with under {SYSTEM_BYTES // GIB} GB for themselves have frozen"
        )
    yield "--force (force=True) goes on all the same, and may stall the machine"


def _nearest(footprint: Footprint, limit: int) -> Footprint | None:
    """The same weights with as much of the request as fits: context gives way first,
    then pictures, then the video."""
    request = footprint.request
    counts = range(request.images, -1, -1)
    wanted = [(images, request.video_seconds) for images in counts]
    if request.video_seconds:
        wanted.append((0, 0.0))
    for images, seconds in wanted:
        fewer = footprint.with_request(images=images, video_seconds=seconds)
        if context := largest_context(fewer, limit):
            return fewer.with_request(context=min(context, request.context))
    return None


def _plain_recipes(footprint: Footprint) -> Iterator[tuple[str, WeightSizes]]:
    for name, recipe in RECIPES.items():
        if recipe.mode == "affine" and recipe.raised is None:
            floats = footprint.backend.float_bytes
            yield name, recipe_sizes(footprint.config, recipe, float_bytes=floats)


def _streamed_recipes(
    footprint: Footprint, machine: Machine
) -> list[tuple[str, ExpertPlan]]:
    """The recipes that work with their experts streamed, the quickest first."""
    found = []
    for name, sizes in _plain_recipes(footprint):
        whole = replace(footprint, weights=sizes.total)
        if (plan := plan_beside(whole, sizes, machine)) is not None:
            found.append((name, plan))
    found.sort(key=lambda pair: pair[1].missed_bytes)
    return found[:_RECIPES_SHOWN]


def _smaller_weights(footprint: Footprint, limit: int) -> list[tuple[str, Footprint]]:
    """The largest recipes below these weights that fit, with what fits beside them."""
    found = []
    for name, sizes in _plain_recipes(footprint):
        nearest = _nearest(replace(footprint, weights=sizes.total), limit)
        if sizes.total < footprint.weights and nearest:
            found.append((name, nearest))
    found.sort(key=lambda pair: -pair[1].weights)
    return found[:_RECIPES_SHOWN]
