"""One measurement of one runtime in a process of its own: `engine_case.py SPEC`.

SPEC is JSON: way, case, folder, and what the case needs. Prints one line of JSON:
seconds by the clock and of the processor (the least of the repeats), the peak of mlx's
memory above what was active before, VmHWM, and a file with the result to compare.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

_BUILDS = 60


def main() -> None:
    spec = json.loads(sys.argv[1])
    begin = time.perf_counter()
    runtime_of = _runtime_class(spec["way"])
    imported, begun = time.perf_counter(), time.process_time()
    import mlx.core as mx

    runtime = runtime_of(Path(spec["folder"]), spec["way"])
    mx.synchronize()
    found = {
        "import": imported - begin,
        "load": time.perf_counter() - imported,
        "load_cpu": time.process_time() - begun,
    }
    found |= CASES[spec["case"]](runtime, spec)
    found["resident"] = _resident()
    print(json.dumps(found))


def _runtime_class(way: str) -> Callable[[Path, str], Any]:
    if way == "ours":
        import mlx_glm45v.chat  # noqa: F401
        from benchmarks.engine_ours import Runtime
    else:
        import mlx_vlm.generate  # noqa: F401

        from benchmarks.engine_peer import Runtime
    return Runtime


def _encode(runtime: Any, spec: dict[str, Any]) -> dict[str, Any]:
    return _timed(runtime.encode(Path(spec["inputs"])), spec)


def _prefill(runtime: Any, spec: dict[str, Any]) -> dict[str, Any]:
    return _timed(runtime.prefill(Path(spec["inputs"])), spec)


def _timed(run: Callable[[], Any], spec: dict[str, Any]) -> dict[str, Any]:
    import mlx.core as mx
    import numpy as np

    seconds, computed, peak = [], [], 0
    result = None
    for _ in range(spec["repeats"]):
        result = None
        mx.clear_cache()
        mx.reset_peak_memory()
        before = mx.get_active_memory()
        begin, begun = time.perf_counter(), time.process_time()
        result = run()
        seconds.append(time.perf_counter() - begin)
        computed.append(time.process_time() - begun)
        peak = max(peak, mx.get_peak_memory() - before)
    np.save(spec["result"], result)
    return {"seconds": min(seconds), "cpu": min(computed), "peak": peak}


def _decode(runtime: Any, spec: dict[str, Any]) -> dict[str, Any]:
    tokens: Iterator[int] = runtime.decode(spec["context"])
    next(tokens)
    marks = [(time.perf_counter(), time.process_time())]
    for _ in islice(tokens, spec["tokens"]):
        marks.append((time.perf_counter(), time.process_time()))
    clock, computed = (
        [after - before for before, after in pairwise(column)]
        for column in zip(*marks, strict=True)
    )
    return {"seconds": statistics.median(clock), "cpu": statistics.median(computed)}


def _graph(runtime: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Nodes that compute something, and the seconds Python takes to build them."""
    import mlx.core as mx

    step = runtime.step(spec["context"])
    mx.eval(step())
    seconds, computed = [], []
    for _ in range(_BUILDS):
        # Of this thread: those that compute are not asked for anything meanwhile.
        begin, begun = time.perf_counter(), time.thread_time()
        logits = step()
        seconds.append(time.perf_counter() - begin)
        computed.append(time.thread_time() - begun)
        mx.eval(logits)
    logits = step()
    file = Path(spec["result"]).with_suffix(".dot")
    mx.export_to_dot(str(file), logits)
    nodes = count_nodes(file.read_text())
    return {"seconds": min(seconds), "cpu": min(computed), "nodes": nodes}


def count_nodes(dot: str) -> int:
    """Operations of a graph, views and constants not counted."""
    views = {
        *("Reshape", "Transpose", "ExpandDims", "Squeeze", "Unflatten", "Flatten"),
        *("Slice", "Split", "Broadcast", "AsStrided", "Copy", "StopGradient"),
    }
    count = 0
    for line in dot.splitlines():
        if "shape=rectangle" in line and 'label ="' in line:
            name = line.partition('label ="')[2].partition('"')[0]
            count += name not in views
    return count


def _turns(runtime: Any, spec: dict[str, Any]) -> dict[str, Any]:
    seconds, computed, begun = [], [], time.process_time()
    for first_token in runtime.turns(Path(spec["picture"]), spec["questions"]):
        seconds.append(first_token)
        computed.append(time.process_time() - begun)
        begun = time.process_time()
    return {"first": seconds[0], "seconds": seconds[-1], "cpu": computed[-1]}


def _load(runtime: Any, spec: dict[str, Any]) -> dict[str, Any]:
    del runtime, spec
    return {}


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


CASES: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
    "encode": _encode,
    "prefill": _prefill,
    "decode": _decode,
    "graph": _graph,
    "turns": _turns,
    "load": _load,
}

if __name__ == "__main__":
    main()
