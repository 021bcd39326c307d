"""`--worker KIND`: the child's side of a worker, chosen by its kind.

Knows which job belongs to which word. Imports no Qt, and the library only when a job
begins: a child that is asked for nothing costs little.
"""

from __future__ import annotations

import sys

from ..processes.child import Channel

KINDS = ("media", "download", "convert", "models")


def run(kind: str) -> int:
    """Serve requests until the input ends; the exit status."""
    if kind not in KINDS:
        print(f"no worker {kind!r}; there are {', '.join(KINDS)}", file=sys.stderr)
        return 2
    channel = Channel()
    match kind:
        case "media":
            from .media_job import serve
        case "download":
            from .download_job import serve
        case "convert":
            from .convert_job import serve
        case _:
            from .models_job import serve
    serve(channel)
    return 0
