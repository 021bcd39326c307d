"""A footprint as a table for people and as values for programs.

Knows words and units. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from .experts import DISK_BANDWIDTHS, ExpertPlan
from .footprint import Footprint
from .formulas import kv_token_bytes
from .machine import GIB, Machine
from .request import KEPT_FEATURE_BYTES, KEPT_TOKENS, Request
from .sizes import gigabytes


@dataclass(frozen=True)
class Verdict:
    """What a machine makes of a footprint.

    `fits` is "streamed" where experts have to be read from the files when they are
    chosen, by the plan `experts`; "raised" where only a limit raised by hand would do.
    `whole_if_raised` says of the former that the latter would hold everything.
    `largest_context` is in tokens, all experts in memory, with the same media and the
    machine's usual limit; 0 where none fits.
    """

    machine: Machine
    fits: Literal["yes", "streamed", "raised", "no"]
    largest_context: int
    experts: ExpertPlan | None = None
    whole_if_raised: bool = False


def described(request: Request) -> str:
    """`a context of 8,192 tokens, 1 picture and 10 s of video`."""
    parts = [f"a context of {request.context:,} tokens"]
    if request.images:
        plural = "s" if request.images > 1 else ""
        parts.append(f"{request.images} picture{plural}")
    if request.video_seconds:
        parts.append(f"{request.video_seconds:g} s of video")
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def table(footprint: Footprint) -> list[str]:
    """The sum, a line for each part."""
    request = footprint.request
    media = f"{request.media_tokens:,} tokens"
    step = min(request.prefill_step_size, request.context)
    kv = "" if request.kv_bits is None else f" at {request.kv_bits} bits"
    rows = [
        ("weights", footprint.weights, ""),
        ("context", footprint.kv, f"keys and values, {request.context:,} tokens{kv}"),
    ]
    if request.media_tokens:
        rows.append(("vision features", footprint.vision_features, media))
    if footprint.vision_workspace > footprint.activations:
        rows.append(("vision workspace", footprint.workspace, "at most"))
    else:
        rows.append(("activations", footprint.workspace, f"{step:,} tokens at a time"))
    rows.append(("reserve", footprint.reserve, "the process and spare buffers"))
    rows.append(("total", footprint.total, ""))
    return [
        f"  {name:<17}{gigabytes(size):>9}  {note}".rstrip()
        for name, size, note in rows
    ]


def kept_line(footprint: Footprint) -> str:
    """What conversations and pictures of before may take beside the sum."""
    token = kv_token_bytes(footprint.config.text_config, None, footprint.backend)
    return (
        f"Conversations answered before stay in memory, up to "
        f"{gigabytes(KEPT_TOKENS * token)} of what is left over, and features of "
        f"their pictures, up to {gigabytes(KEPT_FEATURE_BYTES)}; they leave for a "
        "question that needs it."
    )


def verdict_table(verdicts: Sequence[Verdict]) -> list[str]:
    """A line for each machine: its memory, its limit, what fits."""
    return [
        f"  {item.machine.memory // GIB:>4} GB  "
        f"{gigabytes(item.machine.limit):>8} for the GPU  {_words(item)}"
        for item in verdicts
    ]


def verdict_line(verdict: Verdict, footprint: Footprint) -> str:
    """`this machine ...: it fits`, with the numbers compared."""
    machine = verdict.machine
    return (
        f"{machine.name} offers {gigabytes(machine.limit)} ({machine.limit_name}) of "
        f"{gigabytes(footprint.total)} needed with {footprint.backend.name}: "
        f"{_words(verdict)}"
    )


def _words(verdict: Verdict) -> str:
    most = verdict.largest_context
    or_less = f", or with a context of {most:,} tokens" if most else ""
    match verdict.fits:
        case "yes":
            return f"fits, with a context of up to {most:,} tokens"
        case "streamed":
            assert verdict.experts is not None
            return _streamed(verdict.experts, whole_if_raised=verdict.whole_if_raised)
        case "raised":
            return f"only with iogpu.wired_limit_mb raised{or_less}"
        case "no":
            return f"does not fit{or_less}"


def _streamed(plan: ExpertPlan, *, whole_if_raised: bool) -> str:
    """By reading and memory's pace alone, every expert as likely as any other: what a
    model repeats makes it faster, its arithmetic slower."""
    slow, fast = plan.pace
    low, high = (bandwidth / 1e9 for bandwidth in DISK_BANDWIDTHS)
    raised = "; whole with iogpu.wired_limit_mb raised" if whole_if_raised else ""
    return (
        f"experts streamed, {gigabytes(plan.nbytes)} of them ({plan.resident:.0%}) "
        f"resident: {slow:.1f}-{fast:.1f} tok/s at {low:g}-{high:g} GB/s, "
        f"arithmetic{raised}"
    )


def footprint_as_dict(footprint: Footprint) -> dict[str, object]:
    """Plain values for JSON, sizes in bytes, with the request they are for."""
    sizes = {
        name: getattr(footprint, name)
        for name in (
            *("weights", "kv", "vision_features", "vision_workspace"),
            *("activations", "reserve", "total"),
        )
    }
    return {
        "backend": footprint.backend.name,
        **sizes,
        "request": asdict(footprint.request),
    }


def verdict_as_dict(verdict: Verdict) -> dict[str, object]:
    """Plain values for JSON, sizes in bytes."""
    machine = verdict.machine
    return {
        "machine": machine.name,
        "memory": machine.memory,
        "limit": machine.limit,
        "limit_name": machine.limit_name,
        "fits": verdict.fits,
        "largest_context": verdict.largest_context,
        "experts": None if verdict.experts is None else _plan_as_dict(verdict.experts),
    }


def _plan_as_dict(plan: ExpertPlan) -> dict[str, object]:
    return {
        "bytes": plan.nbytes,
        "resident": plan.resident,
        "slots": plan.slots,
        "missed_bytes_per_token": plan.missed_bytes,
        "prefill_tokens": plan.prefill_tokens,
    }
