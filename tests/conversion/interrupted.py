"""A conversion in a process of its own, killed at a step or after a time.

Imported by the children of `test_resume`, so it imports no test tools.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from mlx_glm45v.checkpoints import read_checkpoint
from mlx_glm45v.conversion.beside import checksums_document, config_document
from mlx_glm45v.conversion.pipeline import files_identity, plan_conversion
from mlx_glm45v.conversion.plan import Plan
from mlx_glm45v.conversion.run import Limits, Run, Step

# Several blocks to a piece, several pieces between two syncs.
LIMITS = Limits(numbers=3000, sync_bytes=40_000)


def run_of(source: Path, target: Path, *, overwrite: bool = False) -> Run:
    plan: Plan = plan_conversion(read_checkpoint(source), recipe="mac-64gb")
    return Run(
        plan,
        target,
        identity=files_identity(plan),
        beside=lambda checksums: {
            "config.json": config_document(plan.config),
            "checksums.json": checksums_document(checksums),
        },
        overwrite=overwrite,
        limits=LIMITS,
    )


def steps_of(source: Path, target: Path, *, overwrite: bool = False) -> list[Step]:
    return list(run_of(source, target, overwrite=overwrite).steps())


def killed_after_step(source: Path, target: Path, number: int, overwrite: bool) -> None:
    """Run until a step is done, then die as in a power cut."""
    run = run_of(source, target, overwrite=overwrite)
    for count, _ in enumerate(run.steps()):
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_after_seconds(source: Path, target: Path, seconds: float) -> None:
    """Run until a timer kills the process, wherever it is."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()
    steps_of(source, target)
