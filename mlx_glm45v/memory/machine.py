"""How much memory this machine lets the model have, and what decides that.

Knows Metal's device, /proc and cgroups, and the memory that Macs are sold with. Knows
no models.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .request import CPU, METAL, Backend

GIB = 2**30
# What macOS itself needs when the GPU's share is raised by hand.
SYSTEM_BYTES = 8 * GIB
# Metal's default share of the memory: two thirds up to 36 GB, three quarters above.
# Measured defaults are between this and 84 % (128 GB, macOS 26).
_SMALL_MAC = 36 * GIB


@dataclass(frozen=True)
class Machine:
    """A machine and the bytes that a model may take there.

    `memory` is the whole of it, `limit_name` what sets the limit. `raised_limit` is how
    far a person may move the limit (the same where it cannot be moved), `held` what
    this process took already and both limits leave out.
    """

    name: str
    memory: int
    limit: int
    limit_name: str
    raised_limit: int
    backend: Backend
    held: int = 0


def mac(memory_gb: int) -> Machine:
    """A Mac as it is sold, for a verdict without having one."""
    memory = memory_gb * GIB
    share = memory * 2 // 3 if memory <= _SMALL_MAC else memory * 3 // 4
    return Machine(
        name=f"a Mac with {memory_gb} GB",
        memory=memory,
        limit=share,
        limit_name="the GPU's usual share",
        raised_limit=max(share, memory - SYSTEM_BYTES),
        backend=METAL,
    )


def this_machine() -> Machine:
    """The machine this runs on, with what is free of it for the model now.

    With Metal the limit is the recommended working set, which follows
    `iogpu.wired_limit_mb`, less what MLX holds already. Otherwise it is the memory that
    the system says is available, in the process's cgroup if that has a limit.
    """
    import mlx.core as mx

    if mx.metal.is_available() and mx.default_device() == mx.Device(mx.gpu):
        return metal_machine(mx.device_info(), held=mx.get_active_memory())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit, limit_name = (
        available_memory() if sys.platform == "linux" else (memory, "its memory")
    )
    return Machine(
        name=f"this machine with {memory / 1e9:.0f} GB",
        memory=memory,
        limit=limit,
        limit_name=limit_name,
        raised_limit=limit,
        backend=CPU,
    )


def metal_machine(device: Mapping[str, str | int], *, held: int) -> Machine:
    """The machine that `mx.device_info()` describes; `held` bytes are MLX's already."""
    memory = int(device["memory_size"])
    limit = int(device["max_recommended_working_set_size"])
    return Machine(
        name=f"this {device['device_name']} with {memory // GIB} GB",
        memory=memory,
        limit=limit - held,
        limit_name="Metal's recommended working set",
        raised_limit=max(limit, memory - SYSTEM_BYTES) - held,
        backend=METAL,
        held=held,
    )


def available_memory(
    *, proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")
) -> tuple[int, str]:
    """Bytes that a process may still take on Linux, and the name of what limits it.

    The least of MemAvailable and, for each cgroup that the process is in, its limit
    less what is used there; file caches count as free in both.
    """
    rows = (proc / "meminfo").read_text().splitlines()
    kilobytes = next(row.split()[1] for row in rows if row.startswith("MemAvailable:"))
    found = [(int(kilobytes) * 1024, "the available memory")]
    for folder, limit_file, used_file in _cgroup_folders(proc, cgroups):
        limit, used = _number(folder / limit_file), _number(folder / used_file)
        if limit is not None and used is not None:
            free = limit - max(0, used - _file_caches(folder))
            found.append((max(0, free), f"the memory limit of cgroup {folder}"))
    return min(found)


def _cgroup_folders(proc: Path, cgroups: Path) -> Iterator[tuple[Path, str, str]]:
    """Folders of the process's cgroup and those above it, of either version.

    In a container the path may be the host's and the folder here the root already, so
    the root always is among them.
    """
    try:
        rows = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return
    for row in rows:
        _, controllers, path = row.split(":", 2)
        if controllers == "":
            root, limit, used = cgroups, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root = cgroups / "memory"
            limit, used = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        folder = root / path.lstrip("/")
        for place in (folder, *folder.parents):
            if place.is_relative_to(root):
                yield place, limit, used


def _file_caches(folder: Path) -> int:
    """Bytes of files that the kernel gives back when memory is asked for."""
    try:
        rows = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    stat = dict(row.split() for row in rows if row.count(" ") == 1)
    # Version 1 counts the groups below apart.
    prefix = "total_" if "total_active_file" in stat else ""
    kinds = (f"{prefix}active_file", f"{prefix}inactive_file")
    return sum(int(stat.get(kind, 0)) for kind in kinds)


def _number(file: Path) -> int | None:
    """A file's number; None where there is none or it says "max"."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
