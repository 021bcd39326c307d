"""Streamed experts measured in a process of its own: `offload_case.py SPEC`.

SPEC is JSON: way ("ours", "mlx-vlm"), folder, budget in bytes or null, prefill and
decode (numbers of tokens), products (false leaves quantised ones out), result (a file
for the logits). Prints one line of JSON. Times are of the clock and of the
processor, bytes from /proc/self/io's rchar and from the runtime's own counters, memory
is VmHWM.

After a chunk of prompt and `decode` tokens one token is repeated from an empty cache:
all its experts are in memory then, and nothing is read.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from benchmarks.proc import proc

Logits = Any
_REPEATS = 8


class Runtime(Protocol):
    """One model; `logits` continues the cache that `begin` empties."""

    def begin(self) -> None: ...

    def logits(self, ids: list[int]) -> Logits:
        """The last token's, lazy."""
        ...

    def counters(self) -> dict[str, float]: ...


class Ours:
    """This library; a budget of None holds all experts as usual."""

    def __init__(self, folder: Path, budget: int | None) -> None:
        from mlx_glm45v.loading import load_model

        given = {} if budget is None else {"expert_memory": budget}
        self._model = load_model(folder, force=True, **given)

    def begin(self) -> None:
        self._cache = self._model.make_cache()

    def logits(self, ids: list[int]) -> Logits:
        import mlx.core as mx

        output = self._model(
            mx.array([ids]), past_key_values=self._cache, rope_deltas=0
        )
        return output.logits[0, -1]

    def counters(self) -> dict[str, float]:
        source = self._model.expert_source
        if source is None:
            return {}
        traffic = source.traffic
        return {
            "chosen": traffic.chosen,
            "missed": traffic.read,
            "bytes": traffic.bytes_read,
            "reading": traffic.seconds,
        }


class Peer:
    """mlx-vlm; a repacked folder with a budget, an ordinary one without."""

    def __init__(self, folder: Path, budget: int | None) -> None:
        from mlx_vlm.utils import load_model

        gigabytes = None if budget is None else budget / 1e9
        self._model = load_model(folder, expert_cache_gb=gigabytes)

    def begin(self) -> None:
        import mlx.core as mx
        from mlx_lm.models.cache import KVCache

        language = self._model.language_model
        layers = self._model.config.text_config.num_hidden_layers
        self._cache = [KVCache() for _ in range(layers)]
        language._position_ids, language._rope_deltas = None, mx.array([[0]])

    def logits(self, ids: list[int]) -> Logits:
        import mlx.core as mx

        language = self._model.language_model
        return language(mx.array([ids]), cache=self._cache).logits[0, -1]

    def counters(self) -> dict[str, float]:
        store = getattr(self._model, "moe_offload_store", None)
        if store is None:
            return {}
        stats = store.stats()
        return {
            "chosen": stats["hits"] + stats["misses"],
            "missed": stats["misses"],
            "headers_parsed": stats["metadata_reloads"],
        }


RUNTIMES: dict[str, Callable[[Path, int | None], Runtime]] = {
    "ours": Ours,
    "mlx-vlm": Peer,
}


def main() -> None:
    spec = json.loads(sys.argv[1])
    import mlx.core as mx
    import numpy as np

    _imports(spec["way"])
    if not spec["products"]:
        mx.gather_qmm = without_product
        mx.quantized_matmul = without_matmul
    imported = proc("status", "VmHWM") * 1024
    begin = _now()
    runtime = RUNTIMES[spec["way"]](Path(spec["folder"]), spec["budget"])
    found: dict[str, Any] = {"load": _since(begin)}
    found["loaded"] = proc("status", "VmRSS") * 1024 - imported
    chance = np.random.default_rng(spec["seed"])
    ids = chance.integers(1, 500, spec["prefill"] + spec["decode"]).tolist()
    kept = []

    def step(tokens: list[int]) -> dict[str, float]:
        before, begin = runtime.counters(), _now()
        logits = runtime.logits(tokens)
        mx.eval(logits)
        kept.append(np.array(logits))
        result = _since(begin)
        after = runtime.counters()
        return result | {name: after[name] - before.get(name, 0) for name in after}

    runtime.begin()
    found["prefill"] = step(ids[: spec["prefill"]])
    found["decode"] = [step([token]) for token in ids[spec["prefill"] :]]
    np.save(spec["result"], np.stack(kept))
    found["above_imports"] = proc("status", "VmHWM") * 1024 - imported
    found["hits"] = []
    for _ in range(1 + _REPEATS):
        runtime.begin()
        found["hits"].append(step(ids[-1:]))
    print(json.dumps(found))


def without_product(
    x: Any,
    w: Any,
    scales: Any,
    biases: Any = None,
    lhs_indices: Any = None,
    rhs_indices: Any = None,
    **_: Any,
) -> Any:
    """In place of `mx.gather_qmm`: zeros that wait for all that it would have read.

    On the CPU backend products take nearly all of a token's time. Without them, what
    is left is choosing, waiting, reading and copying.
    """
    import numpy as np

    rows = x.shape[:-2] if lhs_indices is None else lhs_indices.shape
    rows = np.broadcast_shapes(rows, rhs_indices.shape)
    return _zeros((*rows, x.shape[-2], w.shape[-2]), x, w, scales, biases)


def without_matmul(x: Any, w: Any, scales: Any, biases: Any = None, **_: Any) -> Any:
    """In place of `mx.quantized_matmul`."""
    return _zeros((*x.shape[:-1], w.shape[-2]), x, w, scales, biases)


def _zeros(shape: tuple[int, ...], *waits_for: Any) -> Any:
    import mlx.core as mx

    corners = [
        array.flatten()[:1].astype(mx.float32) * 0
        for array in waits_for
        if array is not None
    ]
    return mx.zeros(shape, waits_for[0].dtype) + mx.concatenate(corners).sum()


def _imports(way: str) -> None:
    if way == "ours":
        import mlx_glm45v.chat  # noqa: F401
    else:
        import mlx_vlm.generate  # noqa: F401


def _now() -> dict[str, float]:
    return {
        "seconds": time.perf_counter(),
        "cpu": time.process_time(),
        "rchar": proc("io", "rchar"),
    }


def _since(begin: dict[str, float]) -> dict[str, float]:
    return {name: value - begin[name] for name, value in _now().items()}


if __name__ == "__main__":
    main()
