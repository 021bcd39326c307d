"""Converts one checkpoint, in a child process.

The library goes on with a run that was killed when it is started with the same values,
and checks the disk before it writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlx_glm45v import Glm45vError, convert

from .reporting import Reporter

if TYPE_CHECKING:
    from ..processes.child import Channel


def serve(channel: Channel) -> None:
    """Convert what each request names."""
    for request in channel:
        target = Path(request["target"])
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            summary = convert(
                request["model"],
                target,
                recipe=request["recipe"],
                progress=Reporter(channel),
            )
        except (Glm45vError, OSError) as error:
            channel.send({"event": "failed", "problem": str(error)})
        else:
            channel.send(
                {
                    "event": "done",
                    "folder": str(summary.folder),
                    "size": summary.nbytes,
                }
            )
