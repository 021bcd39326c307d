"""Memory, time and bytes read of conversions at GLM-4.5V's real size (Linux).

    python -m benchmarks.convert_real_size --work /big/disk

Makes folders that hold everything of GLM-4.5V but the number of layers, converts each
in a process of its own with this library, by whole layers, and with mlx-vlm under caps
on resident memory; prints a table and, last, one line of JSON. Every run starts with
the folder out of the page cache. About 40 GB of disk are used at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mlx_glm45v
from benchmarks.real_size_folder import real_size_config, write_folder
from mlx_glm45v.safetensors_header import read_header

LIMIT = 1_000_000_000  # what conversions may take above the imports
_PROCESSOR_FILES = (
    "chat_template.jinja",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
_ROOT = Path(__file__).parents[1]
_LOOK_EVERY = 0.02
_BLOCK = 64_000_000


def run(
    way: str, source: Path, target: Path, *, cap: float | None, python: str
) -> dict[str, Any]:
    """One conversion by `one_conversion`; killed where it holds more than `cap` bytes.

    `outcome` is "done", "killed" (`peak` says at which resident size) or "failed".
    """
    _forget_pages(source)
    log = target.with_suffix(".log")
    command = [python, "-m", "benchmarks.one_conversion", way, str(source), str(target)]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        begin, peak, killed = time.monotonic(), 0, False
        try:
            while process.poll() is None and not killed:
                peak = max(peak, resident := _resident(process.pid))
                killed = cap is not None and resident > cap
                time.sleep(0 if killed else _LOOK_EVERY)
        finally:
            process.kill()  # nothing happens to one that has ended
        output, _ = process.communicate()
    result: dict[str, Any] = {"way": way, "cap": cap, "peak": peak}
    result["seconds"] = round(time.monotonic() - begin, 1)
    if killed:
        return {**result, "outcome": "killed"}
    if process.returncode:
        reason = log.read_text(errors="replace").strip().splitlines()[-1:]
        return {**result, "outcome": "failed", "reason": " ".join(reason)[:200]}
    measured = json.loads(output.decode().splitlines()[-1])
    return {**result, **measured, "outcome": "done"}


def same_bytes(folder: Path, other: Path) -> bool:
    """Whether two folders hold the same tensors, whatever the files are cut like."""
    ours, theirs = (
        {
            name: info
            for file in sorted(place.glob("*.safetensors"))
            for name, info in read_header(file).tensors.items()
        }
        for place in (folder, other)
    )
    if ours.keys() != theirs.keys():
        return False
    for name, mine in ours.items():
        yours = theirs[name]
        if (mine.dtype, mine.shape) != (yours.dtype, yours.shape):
            return False
        with mine.file.open("rb") as a, yours.file.open("rb") as b:
            a.seek(mine.start)
            b.seek(yours.start)
            for at in range(0, mine.nbytes, _BLOCK):
                count = min(_BLOCK, mine.nbytes - at)
                if a.read(count) != b.read(count):
                    return False
    return True


def cases(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Every measurement, as it is made; folders are removed after their last use."""
    for layers in arguments.layers:
        for form in arguments.forms:
            source = arguments.work / f"{form}-{layers}"
            config = real_size_config(layers, scale=arguments.scale)
            size = write_folder(source, config, fp8=form == "fp8")
            _add_processor(source)
            about = {"moe_layers": layers, "form": form, "source_bytes": size}
            for result in _of_folder(source, form, arguments):
                yield {**about, **result}
            shutil.rmtree(source)


def _of_folder(
    source: Path, form: str, arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    target, other = source.with_name("ours"), source.with_name("other")
    for turn in range(arguments.repeat):
        for folder in (target, other):
            shutil.rmtree(folder, ignore_errors=True)
        yield run("ours", source, target, cap=None, python=sys.executable)
        if form == "bf16":
            result = run("whole layer", source, other, cap=None, python=sys.executable)
            if turn == 0:
                result["same_bytes_as_ours"] = same_bytes(target, other)
            yield result
    shutil.rmtree(target)
    shutil.rmtree(other, ignore_errors=True)
    if form == "bf16" and not arguments.no_search:
        yield run("ours --search", source, target, cap=None, python=sys.executable)
        shutil.rmtree(target)
    for cap in arguments.caps if arguments.peer_python else ():
        python = arguments.peer_python
        result = run("mlx-vlm", source, other, cap=cap * 1e9, python=python)
        yield result
        shutil.rmtree(other, ignore_errors=True)
        if result["outcome"] != "killed":
            break


def summary(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the figures have to show."""
    ours = [r for r in results if r["way"].startswith("ours")]
    done = [r for r in ours if r["outcome"] == "done"]
    highest = max((r["above_imports"] for r in done), default=None)
    best: dict[str, dict[int, float]] = {}
    for result in results:
        if result["form"] == "bf16" and result["outcome"] == "done":
            times = best.setdefault(result["way"], {})
            layers, seconds = result["moe_layers"], result["cpu_seconds"]
            times[layers] = min(seconds, times.get(layers, seconds))
    return {
        "all_done": len(done) == len(ours),
        "highest_above_imports": highest,
        "within_limit": highest is not None and highest <= LIMIT,
        "least_cpu_seconds": best,
    }


def _add_processor(folder: Path) -> None:
    """mlx-vlm converts nothing without one; whose it is makes no difference here."""
    demo = Path(mlx_glm45v.__file__).parent / "demo" / "checkpoint"
    for name in _PROCESSOR_FILES:
        shutil.copy(demo / name, folder)


def _resident(pid: int) -> int:
    """Resident bytes of a process, 0 once it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _forget_pages(folder: Path) -> None:
    """Take a folder's files out of the page cache, for a cold start."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _row(result: dict[str, Any]) -> str:
    def number(name: str, unit: float = 1, digits: int = 1) -> str:
        return f"{result[name] / unit:8.{digits}f}" if name in result else " " * 8

    cap = f" (at most {result['cap'] / 1e9:g} GB)" if result["cap"] else ""
    outcome = result["outcome"]
    if outcome == "killed":
        outcome = f"killed at {result['peak'] / 1e9:.2f} GB"
    elif outcome == "failed":
        outcome = f"failed: {result['reason']}"
    elif "same_bytes_as_ours" in result:
        outcome = "same bytes" if result["same_bytes_as_ours"] else "OTHER BYTES"
    return (
        f"{result['moe_layers']} {result['form']:5} "
        f"{result['source_bytes'] / 1e9:6.2f} {result['way'] + cap:26}"
        f"{number('seconds')}{number('cpu_seconds')}"
        f"{number('above_imports', 1e9, 2)}{number('bytes_read', 1e9, 2)}  {outcome}"
    )


def _machine(peer_python: str | None) -> dict[str, Any]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    pythons = {"mlx": sys.executable, "mlx-vlm": peer_python}
    return {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "memory": memory,
        "python": platform.python_version(),
        "versions": {name: _version(name, at) for name, at in pythons.items() if at},
    }


def _version(package: str, python: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.check_output([python, "-c", code], text=True).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="a folder to make")
    parser.add_argument("--scale", type=int, default=1, help="divide the sizes")
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--forms", nargs="+", default=["bf16", "fp8"])
    parser.add_argument("--repeat", type=int, default=2, help="of what is fast")
    parser.add_argument("--no-search", action="store_true")
    parser.add_argument(
        "--caps", type=float, nargs="+", default=[4, 8, 16], help="GB for mlx-vlm"
    )
    parser.add_argument(
        "--peer-python",
        default=sys.executable if find_spec("mlx_vlm") else None,
        help="an interpreter that has mlx-vlm",
    )
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True)
    results: list[dict[str, Any]] = []
    print("MoE layers, form, GB; way; s; s of CPU; GB above imports; GB read; outcome")
    try:
        for result in cases(arguments):
            results.append(result)
            print(_row(result), flush=True)
    finally:
        shutil.rmtree(arguments.work)
    document = {
        "benchmark": "convert_real_size",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": _machine(arguments.peer_python),
        "scale": arguments.scale,
        "results": results,
        **summary(results),
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
