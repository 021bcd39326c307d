"""How a worker's process is started. The one place that knows its arguments."""

from __future__ import annotations

from PySide6.QtCore import QObject

from ..processes.link import JsonProcess


def start_worker(kind: str, parent: QObject) -> JsonProcess:
    """A running child of this kind, owned by `parent`."""
    process = JsonProcess(["--worker", kind], parent)
    process.start()
    return process
