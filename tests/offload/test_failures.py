"""Disks that fail give a clear error and no wrong number, and can come back."""

from __future__ import annotations

import errno
import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.loading import load_model
from mlx_glm45v.offload.files import Extent, OpenFiles
from mlx_glm45v.offload.store import ExpertStore
from tests.offload.small import load_with, write_quantised

FOUR_BITS = {"bits": 4, "group_size": 64}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_quantised(tmp_path, FOUR_BITS)


def logits(model: Any, ids: list[int]) -> np.ndarray:
    return np.array(model(mx.array([ids])).logits)


def test_a_file_that_is_cut_short(folder: Path):
    model = load_with(folder, 9)
    for file in folder.glob("*.safetensors"):
        os.truncate(file, file.stat().st_size // 3)
    with pytest.raises(
        CheckpointError, match=r"was changed after it was opened|was cut short"
    ):
        logits(model, [5])


def test_a_file_that_is_written_to(folder: Path):
    """Its bytes may be anything now, though all of them come."""
    model = load_with(folder, 9)
    for file in folder.glob("*.safetensors"):
        size = file.stat().st_size
        os.truncate(file, size // 3)
        os.truncate(file, size)
    with pytest.raises(CheckpointError, match="was changed after it was opened"):
        logits(model, [5])


@pytest.mark.parametrize("after", [0, 1, 5, 30])
def test_a_disk_that_goes_away_and_comes_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, after: int
):
    resident, model = load_model(folder), load_with(folder, 10)
    real, left = os.preadv, [after]

    def failing(*arguments: Any) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*arguments)

    with monkeypatch.context() as context:
        context.setattr(os, "preadv", failing)
        with pytest.raises(CheckpointError, match="check that its disk is connected"):
            logits(model, [*range(1, 50)])
    for ids in ([5], [*range(1, 50)]):
        np.testing.assert_array_equal(logits(model, ids), logits(resident, ids))


def test_reads_that_bring_only_a_part_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    resident, model = load_model(folder), load_with(folder, 10)
    real = os.preadv
    monkeypatch.setattr(
        os,
        "preadv",
        lambda descriptor, buffers, place: real(
            descriptor, [buffers[0][: max(1, len(buffers[0]) // 3)]], place
        ),
    )
    np.testing.assert_array_equal(logits(model, [5, 7]), logits(resident, [5, 7]))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C is heard, which a process started in the background would not do."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupts_while_experts_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """Ctrl-C again and again, while threads go on to write into slots."""
    resident, model = load_model(folder), load_with(folder, 9)
    real = os.preadv

    def slowly(*arguments: Any) -> int:
        time.sleep(0.001)
        return real(*arguments)

    with monkeypatch.context() as context:
        context.setattr(os, "preadv", slowly)
        interrupted = 0
        for token in range(1, 13):
            timer = threading.Timer(0.004 * token, signal.raise_signal, [signal.SIGINT])
            try:
                timer.start()
                logits(model, [token])
                timer.join()
            except KeyboardInterrupt:
                interrupted += 1
    assert interrupted == 12
    for ids in ([5], [*range(1, 50)]):
        np.testing.assert_array_equal(logits(model, ids), logits(resident, ids))


def test_a_thread_that_cannot_be_started(folder: Path, monkeypatch: pytest.MonkeyPatch):
    resident, model = load_model(folder), load_with(folder, 9)
    source = model.expert_source
    assert isinstance(source, ExpertStore)
    real, left = source.executor.submit, [3]

    def failing(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("can't start new thread")
        return real(*arguments)

    with monkeypatch.context() as context:
        context.setattr(source.executor, "submit", failing)
        for _ in range(3):
            with pytest.raises(RuntimeError, match="start new thread"):
                logits(model, [5])
    for ids in ([5], [*range(1, 50)]):
        np.testing.assert_array_equal(logits(model, ids), logits(resident, ids))


def test_a_deleted_file_is_still_read(folder: Path):
    resident, model = load_model(folder), load_with(folder, 9)
    for file in folder.glob("*.safetensors"):
        file.unlink()
    np.testing.assert_array_equal(logits(model, [5]), logits(resident, [5]))


def test_a_file_that_cannot_be_opened(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"absent.*cannot be read"):
        OpenFiles([tmp_path / "absent"])


def test_bytes_and_time_are_counted(tmp_path: Path):
    file = tmp_path / "bytes"
    file.write_bytes(bytes(range(100)))
    files = OpenFiles([file])
    into = bytearray(20)
    files.read(Extent(file, 30, 20), memoryview(into))
    assert list(into) == list(range(30, 50))
    nbytes, seconds = files.read_so_far
    assert nbytes == 20
    assert seconds > 0
    files.close()
    files.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_files_are_given_back_with_the_model(folder: Path):
    def opened() -> int:
        return sum(
            os.readlink(entry.path).startswith(str(folder))
            for entry in os.scandir("/proc/self/fd")
            if os.path.lexists(entry.path)
        )

    model = load_with(folder, 9)
    logits(model, [5])
    assert opened() == 3
    del model
    gc.collect()
    assert opened() == 0
