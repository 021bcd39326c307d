"""This library beside mlx-vlm: vision, prefill, decoding, second turns, graphs, memory.

    python -m benchmarks.engine --peer-python /path/to/python

Both run on the same converted weights in float32, each measurement in a process of its
own, the runtimes taking turns. On the CPU backend both get OpenBLAS where
`--blas` names it: MLX's own wheel brings a slow BLAS. Prints a table and, last, one
line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engine_inputs import (
    HALF_HD,
    STILL,
    write_inputs,
    write_model,
    write_picture,
)

_ROOT = Path(__file__).parents[1]
_BLAS = "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0"
_QUESTIONS = ["Describe the picture.", "How many shapes are there?"]
_PEER = "mlx-vlm"
_SWITCHES = ("prompt_cache_state", "vision_cache", "APC")


@dataclass(frozen=True)
class Case:
    """One row group: what is measured, on which model, with what."""

    name: str
    model: str
    kind: str
    about: dict[str, Any] = field(default_factory=dict)
    pictures: tuple[tuple[int, int], ...] = ()
    words: int = 0
    ways: tuple[str, ...] = ("ours", _PEER)


CASES = (
    Case("a picture of 960 x 540", "medium-bf16", "encode", {"repeats": 2},
         (HALF_HD,), 8),
    Case("four pictures of 1,024 patches", "medium-bf16", "encode", {"repeats": 3},
         (STILL,) * 4, 8),
    Case("a video of 16 frames", "medium-bf16", "encode", {"repeats": 2},
         (STILL,) * 8, 8),
    Case("prompt of 512 tokens", "medium-bf16", "prefill", {"repeats": 3}, (), 512),
    Case("prompt with a picture", "medium-bf16", "prefill", {"repeats": 3},
         (STILL,), 64),
    Case("prompt with a picture, demo", "demo-8bit", "prefill", {"repeats": 3},
         ((16, 16),), 64),
    *(
        Case(f"a token after {context:,}", "medium-4bit", "decode",
             {"context": context, "tokens": 24})
        for context in (512, 4096, 16_384)
    ),
    Case("the graph of a token", "medium-4bit", "graph", {"context": 64}),
    Case("second question about a picture", "medium-bf16", "turns",
         {"questions": _QUESTIONS},
         ways=("ours", _PEER, *(f"{_PEER} + {name}" for name in _SWITCHES))),
    Case("import and load", "medium-bf16", "load"),
    Case("conversion to 4 bits", "medium-bf16", "convert"),
    Case("real widths: a picture of 1,024 patches", "slice-4bit", "encode",
         {"repeats": 1}, (STILL,), 8),
    Case("real widths: a token after 512", "slice-4bit", "decode",
         {"context": 512, "tokens": 8}),
)  # fmt: skip


def measure(case: Case, work: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """All ways of one case, taking turns; medians over the rounds."""
    folder = work / case.model
    if not folder.exists():
        write_model(case.model, folder)
    about: dict[str, Any] = {**case.about, "case": case.kind, "folder": str(folder)}
    if case.words:
        inputs = work / f"{case.model}-{case.words}-{len(case.pictures)}.npz"
        write_inputs(inputs, folder, words=case.words, pictures=case.pictures)
        about["inputs"] = str(inputs)
    if case.kind == "turns":
        about["picture"] = str(work / "picture.png")
        write_picture(work / "picture.png")
    ways = case.ways if arguments.peer_python else case.ways[:1]
    rounds: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(arguments.rounds):
        for way in ways:
            result = work / f"{way.replace(' ', '')}.npy"
            spec = {**about, "way": way, "result": str(result)}
            run = _convert if case.kind == "convert" else _run
            rounds[way].append(run(spec, arguments))
    found = {way: _median(runs) for way, runs in rounds.items()}
    if case.kind in ("encode", "prefill") and _PEER in found:
        for way in ways[1:]:
            if "error" not in found[way] and "error" not in found["ours"]:
                results = (
                    work / f"{name.replace(' ', '')}.npy" for name in ("ours", way)
                )
                found[way]["differs"] = _difference(*map(np.load, results))
    return {"case": case.name, "model": case.model, "kind": case.kind, "ways": found}


def _run(spec: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    return _child(spec, ["benchmarks.engine_case", json.dumps(spec)], arguments)


def _convert(spec: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as target:
        words = [spec["way"], spec["folder"], str(Path(target) / "converted")]
        found = _child(spec, ["benchmarks.one_conversion", *words], arguments)
    if "error" in found:
        return found
    return {
        "seconds": found["seconds"],
        "cpu": found["cpu_seconds"],
        "peak": found["above_imports"],
    }


def _child(
    spec: dict[str, Any], module_and_words: list[str], arguments: argparse.Namespace
) -> dict[str, Any]:
    python = sys.executable if spec["way"] == "ours" else arguments.peer_python
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "0"}
    if Path(arguments.blas).exists():
        environment["LD_PRELOAD"] = arguments.blas
    done = subprocess.run(
        [python, "-m", *module_and_words],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["killed"]
        return {"error": last[0][:160]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def _median(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    failed = [run for run in runs if "error" in run]
    if failed:
        return failed[0]
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference in units of our result's deviation."""
    return float(np.abs(ours - theirs).max() / ours.std())


def rows(result: dict[str, Any]) -> Iterator[str]:
    """A table's rows, one for each way."""
    peer = result["ways"].get(_PEER, {})
    for way, found in result["ways"].items():
        if "error" in found:
            yield f"| {result['case']} | {way} | failed: {found['error']} | | | | |"
            continue
        seconds = found["seconds"] if "seconds" in found else found["load"]
        computed = _computed(found)
        ratio = ""
        if way == "ours" and "error" not in peer and peer:
            # Of the processor's seconds: others may run beside.
            ratio = f"{computed / _computed(peer):.2f}"
        parity = f"{found['differs']:.1e}" if "differs" in found else ""
        more = " ".join(_more(result["kind"], found))
        yield (
            f"| {result['case']} | {way} | {_time(seconds)} | {_time(computed)} "
            f"| {ratio} | {more} | {parity} |"
        )


def _computed(found: dict[str, Any]) -> float:
    """Seconds of the processor."""
    return found["cpu"] if "cpu" in found else found["load_cpu"]


def _more(kind: str, found: dict[str, Any]) -> Iterator[str]:
    if "peak" in found:
        yield f"{found['peak'] / 1e6:,.0f} MB"
    if "nodes" in found:
        yield f"{found['nodes']:.0f} nodes"
    if "first" in found:
        yield f"first turn {_time(found['first'])}"
    if kind == "load":
        yield f"import {_time(found['import'])}, {found['resident'] / 1e6:,.0f} MB"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer-python", help="an interpreter that has mlx-vlm 0.7.10")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--without-slice", action="store_true", help="no real widths")
    parser.add_argument("--blas", default=_BLAS, help="preloaded for both, if there")
    parser.add_argument("--work", type=Path, help="keep models here")
    arguments = parser.parse_args()
    results = []
    print("| what | way | clock | processor | ours / peer | more | differs |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        for case in CASES:
            skipped = arguments.without_slice and case.model.startswith("slice")
            if arguments.only in case.name and not skipped:
                results.append(measure(case, work, arguments))
                print("\n".join(rows(results[-1])), flush=True)
    machine = {"system": platform.platform(), "cores": os.cpu_count()}
    date = datetime.now(UTC).date().isoformat()
    print(
        json.dumps(
            {
                "benchmark": "engine",
                "date": date,
                "machine": machine,
                "results": results,
            }
        )
    )


if __name__ == "__main__":
    main()
