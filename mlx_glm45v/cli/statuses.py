"""What a command line ends with: a status, and on a failure one line that says why.

2 for wrong usage is argparse's own.
"""

from __future__ import annotations

import os
import sys
import traceback

from mlx_glm45v.errors import Glm45vError

DONE, FAILED, INTERRUPTED = 0, 1, 130
TRACEBACK_VARIABLE = "GLM45V_TRACEBACK"


def leave_output() -> int:
    """The status when the reader of our output left: there is nobody to tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def error_line(error: Exception) -> str:
    """What happened in one line; the environment may ask for the traceback too."""
    if os.environ.get(TRACEBACK_VARIABLE):
        traceback.print_exception(error)
    line = " ".join(str(error).split())
    if not isinstance(error, Glm45vError | ValueError):
        line = (
            f"unexpected {type(error).__name__}: {line} "
            f"({TRACEBACK_VARIABLE}=1 shows where)"
        )
    return f"error: {line}"
