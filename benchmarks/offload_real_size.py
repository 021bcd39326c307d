"""Streamed experts beside mlx-vlm's `moe_offload`, at GLM-4.5V's real layers (Linux).

    python -m benchmarks.offload_real_size --work /big/disk --peer-python PATH

Both run the same random 4-bit weights over the same tokens with the same bytes for
experts, in float32, each time in a process of its own, taking turns; all files are read
once before, so that they come from the page cache. mlx-vlm needs a repacked copy, which
is made and measured first. On the CPU backend products take nearly all of the time:
with --no-products both leave them out, and choosing, waiting, reading and copying are
left. Prints a table and, last, one line of JSON. About 10 GB of disk are used for
three layers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.offload_slice import bytes_of, slice_config, write_slice
from mlx_glm45v.checkpoints import read_checkpoint
from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.memory import (
    CPU,
    WeightSizes,
    estimate_footprint,
    plan_experts,
    weight_sizes_of_files,
)

_ROOT = Path(__file__).parents[1]
_BLOCK = 2**24


@dataclass(frozen=True)
class Case:
    """One row. `share` of the experts has room; None is the usual, resident way."""

    way: str
    share: str | None


SHARES = {"all": 1.0, "all but one": 1.0, "half": 0.5, "a quarter": 0.25}
CASES = (
    Case("ours", None),
    Case("mlx-vlm", None),
    Case("ours", "all"),
    Case("mlx-vlm", "all"),
    Case("ours", "all but one"),
    Case("ours", "half"),
    Case("mlx-vlm", "half"),
    Case("ours", "a quarter"),
    Case("mlx-vlm", "a quarter"),
)


@dataclass(frozen=True)
class Slice:
    """The folder and what its headers say."""

    folder: Path
    config: Glm4vMoeConfig
    sizes: WeightSizes

    def budget(self, share: str) -> int:
        """Bytes for experts; "all but one" is a slot less in each layer."""
        whole = sum(self.sizes.experts)
        if share == "all but one":
            whole -= whole // self.config.text_config.n_routed_experts
        return int(whole * SHARES[share])

    def plan(self, share: str | None, *, tokens: int, prefill: int) -> int:
        """What this library's planner says of weights, context and activations."""
        text = self.config.text_config
        experts = sum(self.sizes.experts)
        if share is not None:
            experts = plan_experts(text, self.sizes, self.budget(share)).nbytes
        footprint = estimate_footprint(
            self.config,
            context=tokens,
            prefill_step_size=prefill,
            weights=self.sizes.trunk + experts,
            backend=CPU,
        )
        return footprint.weights + footprint.kv + footprint.workspace


def make_slice(folder: Path, moe_layers: int, *, scale: int) -> Slice:
    """Write it and read its headers."""
    if not folder.exists():
        write_slice(folder, slice_config(moe_layers, scale=scale))
    checkpoint = read_checkpoint(folder)
    config = Glm4vMoeConfig.from_dict(checkpoint.config)
    sizes = weight_sizes_of_files(checkpoint, config, float_bytes=CPU.float_bytes)
    return Slice(folder, config, sizes)


def run(case: Case, made: Slice, arguments: argparse.Namespace) -> dict[str, Any]:
    """One case in a process of its own."""
    streamed_peer = case.way == "mlx-vlm" and case.share is not None
    folder = _repacked(made) if streamed_peer else made.folder
    _read_once(folder)
    spec = {
        "way": case.way,
        "folder": str(folder),
        "budget": None if case.share is None else made.budget(case.share),
        "prefill": arguments.prefill,
        "decode": arguments.decode,
        "seed": arguments.seed,
        "products": not arguments.no_products,
        "result": str(_logits_file(made, case)),
    }
    python = sys.executable if case.way == "ours" else arguments.peer_python
    output = _child(python, "offload_case", json.dumps(spec))
    return json.loads(output.splitlines()[-1])


def _child(python: str, module: str, *arguments: str) -> str:
    return subprocess.run(
        [python, "-m", f"benchmarks.{module}", *arguments],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    ).stdout


def _repacked(made: Slice) -> Path:
    return made.folder.with_name("repacked")


def _logits_file(made: Slice, case: Case) -> Path:
    return made.folder.with_name(f"{case.way} {case.share}.npy")


def _read_once(folder: Path) -> None:
    for path in folder.rglob("*.safetensors"):
        with path.open("rb", buffering=0) as file:
            for _ in iter(partial(file.read, _BLOCK), b""):
                pass


def condense(
    case: Case, runs: Sequence[dict[str, Any]], made: Slice, tokens: int, prefill: int
) -> dict[str, Any]:
    """One case's rounds as a row.

    Times are medians over the second half of the tokens (the slots are full by then)
    and the least of the rounds.
    """
    layers = len(made.sizes.experts)
    row: dict[str, Any] = {"way": case.way, "share": case.share}
    for name in ("seconds", "cpu"):
        row[name] = min(_median(_settled(one["decode"]), name) for one in runs)
        row[f"{name}_hits"] = min(_median(one["hits"][1:], name) for one in runs)
        row[f"{name}_prefill"] = min(one["prefill"][name] for one in runs)
    first = runs[0]
    settled = _settled(first["decode"])
    row["read_per_token"] = statistics.mean(step["rchar"] for step in settled)
    row["prefill_read"] = first["prefill"]["rchar"]
    if "missed" in first["prefill"]:
        each = sum(made.sizes.experts) / layers
        each /= made.config.text_config.n_routed_experts
        # mlx-vlm does not count what it reads for a chunk that needs most experts.
        if needed := first["prefill"]["missed"] * each:
            row["prefill_read_of_needed"] = row["prefill_read"] / needed
        chosen = sum(step["chosen"] for step in settled)
        missed = sum(step["missed"] for step in settled)
        row["hit_rate"] = 1 - missed / chosen if chosen else 1.0
    row["above_imports"] = max(one["above_imports"] for one in runs)
    row["plan"] = made.plan(case.share, tokens=tokens, prefill=prefill)
    row["of_plan"] = row["above_imports"] / row["plan"]
    row["load_seconds"] = min(one["load"]["seconds"] for one in runs)
    return row


def _settled(steps: list[dict[str, float]]) -> list[dict[str, float]]:
    return steps[len(steps) // 2 :]


def _median(steps: Sequence[dict[str, float]], name: str) -> float:
    return statistics.median(step[name] for step in steps)


def summary(rows: Sequence[dict[str, Any]], *, layers: int) -> dict[str, Any]:
    """What the goals are about. Times are processor seconds."""
    by_case = {(row["way"], row["share"]): row for row in rows}
    resident = by_case["ours", None]
    found: dict[str, Any] = {
        "overhead_without_misses": by_case["ours", "all but one"]["cpu_hits"]
        / resident["cpu_hits"]
        - 1,
        "of_plan": {
            row["share"]: row["of_plan"] for row in rows if row["way"] == "ours"
        },
        "prefill_read_of_needed": {
            row["share"]: row["prefill_read_of_needed"]
            for row in rows
            if row["way"] == "ours" and "prefill_read_of_needed" in row
        },
    }
    for share in ("half", "a quarter"):
        if ("mlx-vlm", share) not in by_case:
            continue
        ours, peer = by_case["ours", share], by_case["mlx-vlm", share]
        at_rest = by_case["mlx-vlm", None]
        extra = [
            (mine["cpu"] - base["cpu"]) / layers
            for mine, base in ((ours, resident), (peer, at_rest))
        ]
        found[share] = {
            "time_of_peers": ours["cpu"] / peer["cpu"],
            "clock_of_peers": ours["seconds"] / peer["seconds"],
            "extra_per_layer": extra[0],
            "peers_extra_per_layer": extra[1],
            "read_of_peers": ours["read_per_token"] / peer["read_per_token"],
        }
    return found


def _differences(made: Slice, cases: Sequence[Case]) -> dict[str, float]:
    """Largest differences of all logits from the resident model's, in deviations."""
    base = np.load(_logits_file(made, Case("ours", None)))
    # Without products all of them are zero.
    unit = base.std() or 1.0
    return {
        f"{case.way}, {case.share}": float(
            np.abs(np.load(_logits_file(made, case)) - base).max() / unit
        )
        for case in cases
    }


def _line(row: dict[str, Any]) -> str:
    hits = f"{row['hit_rate']:.0%}" if "hit_rate" in row else ""
    once = row.get("prefill_read_of_needed")
    cells = [
        row["way"],
        row["share"] or "resident as usual",
        hits,
        *(f"{row[name]:.3f}" for name in ("seconds", "cpu", "cpu_hits")),
        f"{row['read_per_token'] / 1e6:.1f}",
        f"{row['cpu_prefill']:.1f}",
        f"{row['prefill_read'] / 1e9:.2f}" + (f" ({once:.2f})" if once else ""),
        f"{row['above_imports'] / 1e9:.2f}",
        f"{row['of_plan']:.2f}",
        f"{row['differs']:.0e}",
    ]
    return f"| {' | '.join(cells)} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="a folder to make")
    parser.add_argument(
        "--keep", action="store_true", help="leave it, and use what is there"
    )
    parser.add_argument("--peer-python", help="an interpreter that has mlx-vlm")
    parser.add_argument("--layers", type=int, default=3, help="with experts")
    parser.add_argument("--scale", type=int, default=1, help="divide the widths")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--prefill", type=int, default=32, help="tokens of a chunk")
    parser.add_argument("--decode", type=int, default=32, help="tokens after it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--no-products", action="store_true", help="leave quantised products out"
    )
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=arguments.keep)
    try:
        document = measure(work, arguments)
    finally:
        if not arguments.keep:
            shutil.rmtree(work)
    print(json.dumps(document))


def measure(work: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Make the folders, run all cases, print the table."""
    made = make_slice(work / "slice", arguments.layers, scale=arguments.scale)
    cases = [c for c in CASES if c.way == "ours" or arguments.peer_python]
    repack: dict[str, Any] = {}
    if arguments.peer_python and not _repacked(made).exists():
        folders = str(made.folder), str(_repacked(made))
        output = _child(arguments.peer_python, "offload_repack", *folders)
        repack = json.loads(output.splitlines()[-1])
        repack["bytes"] = bytes_of(_repacked(made))
        print(f"repacked for mlx-vlm: {json.dumps(repack)}", flush=True)
    rounds: dict[Case, list[dict[str, Any]]] = {case: [] for case in cases}
    for number in range(arguments.rounds):
        for case in cases:
            result = run(case, made, arguments)
            rounds[case].append(result)
            done = {"round": number + 1, **asdict(case), "result": result}
            print(json.dumps(done), file=sys.stderr, flush=True)
    differs = _differences(made, cases)
    tokens = arguments.prefill + arguments.decode
    rows = []
    for case, runs in rounds.items():
        row = condense(case, runs, made, tokens, arguments.prefill)
        row["differs"] = differs[f"{case.way}, {case.share}"]
        rows.append(row)
    print(
        "| way | experts in memory | hits | s/token | processor s/token "
        "| without misses | MB read/token | prefill, processor s "
        "| prefill GB read (of needed) | GB | of plan | differs |"
    )
    print(f"|{'---|' * 12}")
    for row in rows:
        print(_line(row))
    layers = len(made.sizes.experts)
    return {
        "benchmark": "offload_real_size",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "mlx": version("mlx"),
        "layers": layers,
        "scale": arguments.scale,
        "products": not arguments.no_products,
        "source_bytes": bytes_of(made.folder),
        "repack": repack,
        "rows": rows,
        **summary(rows, layers=layers),
    }


if __name__ == "__main__":
    main()
