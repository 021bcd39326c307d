"""How much a comparison adds to a process's memory, measured in one of its own.

Imported by a child of `test_verify`, so it imports no test tools.
"""

from __future__ import annotations

import re
from multiprocessing.connection import Connection
from pathlib import Path

from mlx_glm45v.checkpoints import read_checkpoint
from mlx_glm45v.conversion.comparison import Comparison
from mlx_glm45v.conversion.pipeline import convert, plan_conversion

BLOCK_NUMBERS = 250_000  # 1 MB as float32


def peak_of(small: Path, large: Path, target: Path, answer: Connection) -> None:
    """Bytes that comparing `large` adds to what comparing `small` leaves behind."""
    for source in (small, large):
        convert(source, target / source.name, recipe="4bit")
    _compare(small, target / small.name)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _peak()
    _compare(large, target / large.name)
    answer.send(_peak() - before)


def _compare(source: Path, out: Path) -> None:
    plan = plan_conversion(read_checkpoint(source), recipe="4bit")
    comparison = Comparison(plan, read_checkpoint(out), numbers=BLOCK_NUMBERS)
    comparison.run(advance=lambda _nbytes, _item: None)
    assert not comparison.misplaced


def _peak() -> int:
    """VmHWM: the most that was resident at any time."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024
