"""One conversion in a process of its own, measured: `one_conversion.py WAY FROM TO`.

Prints one line of JSON: seconds by the clock and of the processor, bytes read, and
resident memory above what the imports took (VmHWM, Linux). Imports are not timed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.proc import proc

Convert = Callable[[Path, Path], None]


def ours(*, search: bool = False) -> Convert:
    """This library, 4 bits in groups of 64."""
    from mlx_glm45v.conversion.pipeline import convert

    def run(source: Path, target: Path) -> None:
        convert(source, target, recipe="4bit", search=search)

    return run


def whole_layers() -> Convert:
    """A whole layer at a time, the same 4 bits."""
    from benchmarks.whole_layers import convert_whole_layers
    from mlx_glm45v.parameters.recipes import find_recipe

    def run(source: Path, target: Path) -> None:
        convert_whole_layers(source, target, find_recipe("4bit"))

    return run


def peer() -> Convert:
    """mlx-vlm's converter, the same 4 bits."""
    from mlx_vlm.convert import convert

    def run(source: Path, target: Path) -> None:
        convert(str(source), str(target), quantize=True, q_bits=4, q_group_size=64)

    return run


WAYS: dict[str, Callable[[], Convert]] = {
    "ours": ours,
    "ours --search": lambda: ours(search=True),
    "whole layer": whole_layers,
    "mlx-vlm": peer,
}


def main() -> None:
    way, source, target = sys.argv[1:]
    convert = WAYS[way]()
    memory, read = proc("status", "VmHWM") * 1024, proc("io", "rchar")
    start, busy = time.monotonic(), time.process_time()
    convert(Path(source), Path(target))
    result = {
        "seconds": round(time.monotonic() - start, 1),
        "cpu_seconds": round(time.process_time() - busy, 1),
        "bytes_read": proc("io", "rchar") - read,
        "after_imports": memory,
        "above_imports": proc("status", "VmHWM") * 1024 - memory,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
