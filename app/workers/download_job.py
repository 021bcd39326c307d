"""Fetches one repository into the Hub's cache, in a child process.

The library checks the disk first, goes on from what is there, compares every file's
checksum and reads the headers at the end. Killing the process is how one pauses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlx_glm45v import Glm45vError, resolve

from .reporting import Reporter

if TYPE_CHECKING:
    from ..processes.child import Channel


def serve(channel: Channel) -> None:
    """Fetch what each request names."""
    for request in channel:
        try:
            found = resolve(request["model"], progress=Reporter(channel))
        except (Glm45vError, OSError) as error:
            channel.send({"event": "failed", "problem": str(error)})
        else:
            channel.send(
                {"event": "done", "folder": str(found.folder), "size": found.nbytes}
            )
