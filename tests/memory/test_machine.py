"""What a machine offers: /proc, cgroups of both versions, Metal's own words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlx_glm45v.memory import METAL, mac, this_machine
from mlx_glm45v.memory.machine import GIB, available_memory, metal_machine

AVAILABLE = 8 * GIB
V1, V2 = "4:memory:/jobs/one\n3:cpu:/\n", "0::/jobs/one\n"


@pytest.fixture
def system(tmp_path: Path):
    """Writes a /proc and cgroups, and asks what is available there."""

    def ask(cgroup: str | None, files: dict[str, str]) -> tuple[int, str]:
        proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
        (proc / "self").mkdir(parents=True)
        (proc / "meminfo").write_text(
            f"MemTotal: 999999999 kB\nMemAvailable: {AVAILABLE // 1024} kB\n"
        )
        if cgroup is not None:
            (proc / "self/cgroup").write_text(cgroup)
        for name, text in files.items():
            (cgroups / name).parent.mkdir(parents=True, exist_ok=True)
            (cgroups / name).write_text(text)
        return available_memory(proc=proc, cgroups=cgroups)

    return ask


@pytest.mark.parametrize(
    ("cgroup", "files", "gigabytes"),
    [
        pytest.param(None, {}, 8, id="no cgroups"),
        pytest.param(V2, {}, 8, id="a cgroup without memory files"),
        pytest.param(
            V2,
            {"jobs/one/memory.max": "max", "jobs/one/memory.current": "5"},
            8,
            id="v2 without a limit",
        ),
        pytest.param(
            V2,
            {"jobs/one/memory.max": f"{4 * GIB}\n", "jobs/one/memory.current": "0\n"},
            4,
            id="v2",
        ),
        pytest.param(
            V2,
            {
                "jobs/one/memory.max": f"{6 * GIB}",
                "jobs/one/memory.current": "0",
                "jobs/memory.max": f"{4 * GIB}",
                "jobs/memory.current": f"{1 * GIB}",
            },
            3,
            id="the group above has less",
        ),
        pytest.param(
            V2,
            {
                "jobs/one/memory.max": f"{4 * GIB}",
                "jobs/one/memory.current": f"{3 * GIB}",
                "jobs/one/memory.stat": f"anon 1\nactive_file {GIB}\n"
                f"inactive_file {GIB}\n",
            },
            3,
            id="file caches are given back",
        ),
        pytest.param(
            V2,
            {"memory.max": f"{2 * GIB}", "memory.current": "0"},
            2,
            id="a container that sees the host's path",
        ),
        pytest.param(
            V1,
            {
                "memory/jobs/one/memory.limit_in_bytes": f"{4 * GIB}",
                "memory/jobs/one/memory.usage_in_bytes": f"{2 * GIB}",
                "memory/jobs/one/memory.stat": "active_file 7\ninactive_file 7\n"
                f"total_active_file 0\ntotal_inactive_file {GIB}\n",
            },
            3,
            id="v1",
        ),
        pytest.param(
            V1,
            {
                "memory/jobs/one/memory.limit_in_bytes": "9223372036854771712",
                "memory/jobs/one/memory.usage_in_bytes": "5",
            },
            8,
            id="v1 without a limit",
        ),
        pytest.param(
            V2,
            {"jobs/one/memory.max": "10", "jobs/one/memory.current": "20"},
            0,
            id="used beyond the limit",
        ),
    ],
)
def test_the_least_of_memory_and_cgroups_counts(
    system, cgroup: str | None, files: dict[str, str], gigabytes: int
):
    limit, name = system(cgroup, files)
    assert limit == gigabytes * GIB
    assert ("cgroup" in name) is (gigabytes != 8)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_linux_machine_offers_part_of_its_memory():
    machine = this_machine()
    assert 0 < machine.limit <= machine.memory
    assert machine.raised_limit == machine.limit


def test_metal_offers_its_working_set_less_what_mlx_holds():
    device = {
        "device_name": "Apple M4 Max",
        "memory_size": 128 * GIB,
        "max_recommended_working_set_size": 107 * GIB,
    }
    machine = metal_machine(device, held=7 * GIB)
    assert machine.name == "this Apple M4 Max with 128 GB"
    assert (machine.limit, machine.raised_limit) == (100 * GIB, 113 * GIB)
    assert machine.backend == METAL


def test_a_working_set_that_was_raised_already_is_not_lowered():
    device = {
        "device_name": "Apple M4 Max",
        "memory_size": 128 * GIB,
        "max_recommended_working_set_size": 124 * GIB,
    }
    assert metal_machine(device, held=0).raised_limit == 124 * GIB


@pytest.mark.parametrize(
    ("memory", "limit", "raised"),
    [(36, 24, 28), (64, 48, 56), (128, 96, 120), (512, 384, 504)],
)
def test_macs_offer_their_usual_share(memory: int, limit: int, raised: int):
    machine = mac(memory)
    assert machine.limit / GIB == limit
    assert machine.raised_limit / GIB == raised
