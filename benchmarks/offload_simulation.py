"""GLM-4.5V with a part of its experts in memory: hit rates and tokens a second.

    python -m benchmarks.offload_simulation

Arithmetic, not measurement. Routings are replayed through the engine's own slots: made
up ones of GLM-4.5V's sizes, and the demo's recorded ones. Prints Markdown tables and,
last, one line of JSON. A quarter of the tokens fill the slots before counting begins.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.offload_macs import (
    BITS,
    MACS,
    SSDS,
    Budget,
    Case,
    budget_of,
    bytes_per_token,
    seconds_per_token,
    split_by,
)
from benchmarks.offload_replay import Replay, profile_of, replay
from benchmarks.offload_routings import (
    MILD,
    STRONG,
    UNEVEN,
    UNIFORM,
    Recorded,
    Routing,
    Skew,
    kept_from_before,
    make_guess,
    make_routing,
    record_demo,
    right_guesses,
)

BANDWIDTH = 273.0  # GB/s: the M4 Pro, which is sold with 24 to 64 GB
SKEWS = (UNIFORM, MILD, STRONG)
_COMPARED = (Case(32, 2), Case(48, 3), Case(64, 4), Case(48, 2))
_COMPARED_SKEWS = (*SKEWS, UNEVEN)
_GUESSES = (0.6, 0.8, 0.95)
_USUAL_SSD = 5.0
_LAYERS, _EXPERTS, _CHOSEN = 45, 128, 8
_DEMO_SLOTS = (2, 3, 4, 6)


def _made(skew: Skew, tokens: int, seed: int) -> Routing:
    sizes = {"layers": _LAYERS, "experts": _EXPERTS, "chosen": _CHOSEN}
    return make_routing(skew, tokens=tokens, seed=seed, **sizes)


def macs_table(tokens: int, seed: int, bandwidth: float) -> list[dict[str, Any]]:
    """Every Mac with experts of every width, for every routing."""
    rows = []
    for skew in SKEWS:
        routing = _made(skew, tokens, seed)
        for case in (Case(memory, bits) for memory in MACS for bits in BITS):
            budget = budget_of(case)
            result = _plain(routing, budget)
            speed = {
                ssd: 1 / seconds_per_token(result, budget, ssd=ssd, memory=bandwidth)
                for ssd in SSDS
            }
            rows.append(
                {
                    **asdict(case),
                    "routing": skew.name,
                    "expert_gb": budget.plan.nbytes / 1e9,
                    "resident": budget.plan.resident,
                    "hit_rate": result.hit_rate,
                    "bytes_per_token": bytes_per_token(result, budget),
                    "tokens_per_second": speed,
                }
            )
    return rows


def policy_table(tokens: int, seed: int, bandwidth: float) -> list[dict[str, Any]]:
    """What hot experts, another split and guesses change in bytes and speed.

    Profiles come from as many earlier tokens of the same routing.
    """
    rows = []
    for skew in _COMPARED_SKEWS:
        both = _made(skew, 2 * tokens, seed)
        earlier, routing = both[:tokens], both[tokens:]
        profile = profile_of(earlier, experts=_EXPERTS)
        guesses = {
            recall: make_guess(routing, experts=_EXPERTS, recall=recall, seed=seed)
            for recall in _GUESSES
        }
        for case in _COMPARED:
            budget = budget_of(case)
            plain = _plain(routing, budget)
            ways = {
                "hot experts stay": _plain(routing, budget, hot=profile),
                "split by profile": replay(
                    routing,
                    experts=_EXPERTS,
                    slots=split_by(case, profile.depths),
                    warm_up=tokens // 4,
                ),
                **{
                    f"{recall:.0%} right, {which} read ahead": _plain(
                        routing, budget, guess=guess, most=most
                    )
                    for which, most in (("all", None), ("one", 1))
                    for recall, guess in guesses.items()
                },
            }
            for way, result in ways.items():
                rows.append(
                    {**asdict(case), "routing": skew.name, "way": way}
                    | _compared(plain, result, budget, bandwidth)
                )
    return rows


def _plain(routing: Routing, budget: Budget, **policy: Any) -> Replay:
    warm_up = len(routing) // 4
    slots = budget.plan.slots
    return replay(routing, experts=_EXPERTS, slots=slots, warm_up=warm_up, **policy)


def _compared(
    plain: Replay, result: Replay, budget: Budget, bandwidth: float
) -> dict[str, float]:
    before, after = (
        seconds_per_token(one, budget, ssd=_USUAL_SSD, memory=bandwidth)
        for one in (plain, result)
    )
    bytes_before = bytes_per_token(plain, budget)
    return {
        "bytes_ratio": bytes_per_token(result, budget) / bytes_before,
        "speed_ratio": before / after,
        "wasted": float(result.wasted.sum() / max(1, result.read.sum())),
    }


def demo_table(recorded: Recorded) -> list[dict[str, float]]:
    """The demo's recorded routing beside dice, at the same part of its experts."""
    tokens, layers, chosen = recorded.routing.shape
    dice = make_routing(
        UNIFORM,
        tokens=tokens,
        layers=layers,
        experts=recorded.experts,
        chosen=chosen,
        seed=0,
    )
    half = tokens // 2
    profile = profile_of(recorded.routing[:half], experts=recorded.experts)
    rows = []
    for slots in _DEMO_SLOTS:
        given = {"experts": recorded.experts, "slots": [slots] * layers}
        given["warm_up"] = tokens // 8
        later, plain = recorded.routing[half:], replay(recorded.routing, **given)
        guessed = [
            replay(recorded.routing, **given, guess=recorded.guess, most=most)
            for most in (None, 1)
        ]
        rows.append(
            {
                "slots": slots,
                "hit_rate": plain.hit_rate,
                "dice": replay(dice, **given).hit_rate,
                "later": replay(later, **given).hit_rate,
                "later_hot": replay(later, **given, hot=profile).hit_rate,
                "read_with_guesses": guessed[0].read.sum() / plain.read.sum(),
                "guesses_wasted": guessed[0].wasted.sum() / guessed[0].ahead.sum(),
                "one_wasted": guessed[1].wasted.sum() / guessed[1].ahead.sum(),
            }
        )
    return rows


def _print(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")


def _print_macs(rows: Sequence[dict[str, Any]]) -> None:
    head = ["Mac", "experts at", "in memory"]
    head += [f"{skew.name}: hits, GB, tok/s" for skew in SKEWS]
    lines: dict[tuple[int, int], list[str]] = {}
    for row in rows:
        key = (row["memory_gb"], row["bits"])
        line = lines.setdefault(
            key, [f"{key[0]} GB", f"{key[1]} bits", f"{row['resident']:.0%}"]
        )
        speeds = "/".join(f"{v:.1f}" for v in row["tokens_per_second"].values())
        gb = row["bytes_per_token"] / 1e9
        line.append(f"{row['hit_rate']:.0%}, {gb:.2f}, {speeds}")
    ssds = ", ".join(f"{ssd:g}" for ssd in SSDS)
    _print(f"tok/s with SSDs of {ssds} GB/s", head, list(lines.values()))


def _print_policies(rows: Sequence[dict[str, Any]]) -> None:
    head = ["way", "Mac, experts at", *(skew.name for skew in _COMPARED_SKEWS)]
    lines: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        key = (row["way"], f"{row['memory_gb']} GB, {row['bits']} bits")
        text = f"{row['bytes_ratio']:.2f}, {row['speed_ratio']:.2f}"
        lines.setdefault(key, list(key)).append(text)
    title = f"bytes read and tok/s against plain LRU, {_USUAL_SSD:g} GB/s"
    _print(title, head, sorted(lines.values()))


def _print_demo(rows: Sequence[dict[str, float]], facts: dict[str, float]) -> None:
    lines = [
        [f"{row['slots']:g} of {facts['experts']:g}"]
        + [f"{row[name]:.0%}" for name in row if name != "slots"]
        for row in rows
    ]
    head = ["slots", "hits", "of dice", "second half", "with hot ones of the first"]
    head += ["read with guesses", "guesses wasted", "wasted of the surest"]
    print(
        f"\nThe demo, {facts['tokens']:g} tokens of text: a token keeps "
        f"{facts['kept']:.0%} of the last one's experts (by chance "
        f"{facts['chance']:.0%}); {facts['right']:.0%} of guesses are right."
    )
    _print("Its routing replayed", head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=256, help="of each routing")
    parser.add_argument("--questions", type=int, default=10, help="for the demo")
    parser.add_argument(
        "--bandwidth", type=float, default=BANDWIDTH, help="of memory, in GB/s"
    )
    arguments = parser.parse_args()
    tokens, seed, bandwidth = arguments.tokens, arguments.seed, arguments.bandwidth
    recorded = record_demo(questions=arguments.questions, seed=seed)
    facts = {
        "tokens": len(recorded.routing),
        "experts": recorded.experts,
        "kept": kept_from_before(recorded.routing),
        "chance": recorded.routing.shape[-1] / recorded.experts,
        "right": right_guesses(recorded.guess, recorded.routing),
    }
    demo = demo_table(recorded)
    _print_demo(demo, facts)
    macs = macs_table(tokens, seed, bandwidth)
    _print_macs(macs)
    policies = policy_table(tokens, seed, bandwidth)
    _print_policies(policies)
    demo = [{name: float(value) for name, value in row.items()} for row in demo]
    document = {
        "benchmark": "offload_simulation",
        "seed": seed,
        "tokens": tokens,
        "memory_bandwidth": bandwidth,
        "skews": [asdict(skew) for skew in _COMPARED_SKEWS],
        "demo": {**facts, "rows": demo},
        "macs": macs,
        "policies": policies,
    }
    print(f"\n{json.dumps(document)}")


if __name__ == "__main__":
    main()
