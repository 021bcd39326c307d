"""How much a conversion adds to a process's memory, measured in one of its own.

Imported by the children of `test_peak_memory`, so it imports no test tools.
"""

from __future__ import annotations

import re
from multiprocessing.connection import Connection
from pathlib import Path

from mlx_glm45v.checkpoints import read_checkpoint
from mlx_glm45v.conversion.pipeline import convert_plan, plan_conversion
from mlx_glm45v.conversion.run import Limits

BLOCK_NUMBERS = 250_000  # 1 MB as float32


def peak_of(
    small: Path, large: Path, target: Path, search: bool, answer: Connection
) -> None:
    """Bytes that converting `large` adds to what converting `small` leaves behind."""
    _convert(small, target / "small", search=search)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _peak()
    _convert(large, target / "large", search=search)
    answer.send(_peak() - before)


def _convert(source: Path, target: Path, *, search: bool) -> None:
    plan = plan_conversion(read_checkpoint(source), recipe="mac-64gb", search=search)
    limits = Limits(numbers=BLOCK_NUMBERS)
    convert_plan(plan, target, source_name="x", command="y", limits=limits)


def _peak() -> int:
    """VmHWM: the most that was resident at any time."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024
