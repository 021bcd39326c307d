"""Why the model's process ended, in plain words.

Knows signals and what Metal and the system say when the memory runs out.
"""

from __future__ import annotations

import signal

from PySide6.QtCore import QCoreApplication

from ..processes.link import Ended

_CONTEXT = "engine"
# What MLX and Metal write before they abort for want of memory.
_MEMORY_WORDS = ("Insufficient Memory", "OutOfMemory", "out of memory", "bad_alloc")


def problem_of(ended: Ended) -> tuple[str, str]:
    """A kind for programs and a sentence for people."""
    told = QCoreApplication.translate
    if ended.exit_code == -1:
        return "NotStarted", told(
            _CONTEXT, "The model's process could not be started; the log says why."
        )
    out_of_memory = any(word in line for word in _MEMORY_WORDS for line in ended.tail)
    if out_of_memory or (ended.crashed and ended.exit_code == signal.SIGKILL):
        return "OutOfMemory", told(
            _CONTEXT,
            "The model's process was ended from outside, most likely because the "
            "memory ran out. Close other programs, give fewer or smaller pictures or "
            "choose a smaller model, then restart the model.",
        )
    if ended.crashed:
        return "Crashed", told(
            _CONTEXT,
            "The model's process broke off (signal {number}). Restart the model; the "
            "log says more.",
        ).format(number=ended.exit_code)
    return "Ended", told(
        _CONTEXT,
        "The model's process ended by itself (status {number}). Restart the model; the "
        "log says more.",
    ).format(number=ended.exit_code)
