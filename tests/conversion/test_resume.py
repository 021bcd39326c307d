"""A killed conversion goes on where it stopped and ends in the same bytes."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlx_glm45v.checkpoints import read_checkpoint
from mlx_glm45v.conversion.journal import JOURNAL_NAME, Journal
from mlx_glm45v.conversion.pipeline import convert
from mlx_glm45v.conversion.run import Step
from mlx_glm45v.conversion.writer import temporary_name
from mlx_glm45v.errors import CheckpointError, ConversionError
from mlx_glm45v.loading import load_model
from mlx_glm45v.parameters.recipes import find_recipe
from tests.checkpoint_forms import per_expert, random_weights
from tests.conversion.forms import SMALL, contents, in_bf16, raws, write_source
from tests.conversion.interrupted import (
    killed_after_seconds,
    killed_after_step,
    run_of,
    steps_of,
)

FILE = "model.safetensors"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    weights = in_bf16(per_expert(random_weights(SMALL)))
    return write_source(folder, SMALL, raws(weights), shards=3, seed=1)


@pytest.fixture(scope="module")
def uninterrupted(
    source: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Step], dict[str, bytes]]:
    """The steps of a run that nobody interrupts, and what it leaves."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    return steps_of(source, folder), contents(folder)


@pytest.fixture(scope="module")
def in_child() -> Callable[..., int]:
    """Call a function in a fresh process; its exit code."""
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.conversion.interrupted"])

    def call(function: Callable[..., None], *arguments: Any) -> int:
        process = context.Process(target=function, args=arguments)
        process.start()
        process.join(60)
        assert process.exitcode is not None
        return process.exitcode

    return call


def check_resumed(
    source: Path, target: Path, uninterrupted: tuple[list[Step], dict[str, bytes]]
) -> None:
    """Going on reads what is left and at most one tensor more; the bytes are equal."""
    checkpoint = read_checkpoint(source)
    done = (
        target.exists()
        and not (target / JOURNAL_NAME).exists()
        and any(target.glob("*.safetensors"))
    )
    if not done:
        noted = noted_bytes(source, target)
        run = run_of(source, target)
        for _ in run.steps():
            pass
        assert run.bytes_kept == noted
        assert run.bytes_read + run.bytes_kept == checkpoint.nbytes
    assert contents(target) == uninterrupted[1]


def noted_bytes(source: Path, target: Path) -> int:
    """Source bytes of the pieces that the journal has."""
    if not (target / JOURNAL_NAME).exists():
        return 0
    journal = Journal.reopen(target / JOURNAL_NAME)
    journal.close()
    plan = run_of(source, target).plan
    return sum(p.span.nbytes for p in plan.pieces if p.number in journal)


def numbers_of(steps: list[Step]) -> list[int]:
    """The first, a middle and the last step of every stage, and those around them."""
    chosen: set[int] = set()
    for stage in {step.stage for step in steps}:
        places = [n for n, step in enumerate(steps) if step.stage == stage]
        chosen |= {places[0], places[len(places) // 2], places[-1]}
    return sorted(chosen)


def test_killed_at_every_transition_it_goes_on(
    source: Path,
    uninterrupted: tuple[list[Step], dict[str, bytes]],
    in_child: Callable[..., int],
    tmp_path: Path,
):
    steps = uninterrupted[0]
    stages = {step.stage for step in steps}
    assert stages == {
        *("begin", "lay out", "check", "write"),
        *("note", "sync", "beside", "publish"),
    }
    for number in numbers_of(steps):
        target = tmp_path / str(number)
        code = in_child(killed_after_step, source, target, number, False)
        assert code == -signal.SIGKILL
        with pytest.raises(CheckpointError, match=r"not finished: .*conversion\.jour"):
            load_model(target)
        check_resumed(source, target, uninterrupted)


def test_killed_at_five_random_moments_it_goes_on(
    source: Path,
    uninterrupted: tuple[list[Step], dict[str, bytes]],
    in_child: Callable[..., int],
    tmp_path: Path,
):
    started = time.perf_counter()
    assert in_child(killed_after_seconds, source, tmp_path / "whole", 60.0) == 0
    seconds = time.perf_counter() - started
    moments = random.Random()
    for number in range(5):
        target = tmp_path / str(number)
        in_child(killed_after_seconds, source, target, moments.uniform(0, seconds))
        check_resumed(source, target, uninterrupted)


def test_cut_again_and_again_it_comes_through(
    source: Path, uninterrupted: tuple[list[Step], dict[str, bytes]], tmp_path: Path
):
    """Each time after enough blocks for the largest tensor, so each gets further."""
    target = tmp_path / "out"
    kept: list[int] = []
    while not (target / FILE).exists():
        run = run_of(source, target)
        blocks = 0
        for step in run.steps():
            blocks += step.stage == "write"
            if blocks == 20:
                break
        kept.append(run.bytes_kept)
        assert kept == sorted(set(kept)), "got no further"
    steps_of(source, target)
    assert len(kept) > 3
    assert contents(target) == uninterrupted[1]


@pytest.mark.parametrize("stage", ["begin", "write", "publish", "beside"])
def test_an_overwriting_run_that_was_killed_goes_on(
    source: Path,
    uninterrupted: tuple[list[Step], dict[str, bytes]],
    in_child: Callable[..., int],
    tmp_path: Path,
    stage: str,
):
    """Its new files have the old ones' names."""
    target = tmp_path / "out"
    convert(source, target, recipe="8bit")
    number = [step.stage for step in uninterrupted[0]].index(stage)
    in_child(killed_after_step, source, target, number, True)
    check_resumed(source, target, uninterrupted)


# What may have happened to the folder or the source in between.


def half_done(source: Path, target: Path, *, stage: str = "sync") -> None:
    """A run that was left in the middle of its pieces."""
    seen = 0
    for step in run_of(source, target).steps():
        seen += step.stage == stage
        if seen == 3:
            return
    raise AssertionError(f"no third {stage}")


def test_data_lost_behind_the_last_sync_is_written_again(
    source: Path, uninterrupted: tuple[list[Step], dict[str, bytes]], tmp_path: Path
):
    """A power cut may keep the journal's lines and lose what they tell of."""
    target = tmp_path / "out"
    half_done(source, target, stage="note")
    journal = Journal.reopen(target / JOURNAL_NAME)
    journal.close()
    assert journal.unsure
    plan = run_of(source, target).plan
    piece = plan.pieces[next(iter(journal.unsure))]
    slot = piece.parameter.slots[0]
    with (target / temporary_name(FILE)).open("r+b") as stream:
        stream.seek(slot.start)
        stream.write(bytes(8))
    run = run_of(source, target)
    for _ in run.steps():
        pass
    assert run.bytes_read + run.bytes_kept == plan.bytes_to_read
    assert run.bytes_kept < sum(
        plan.pieces[number].span.nbytes for number in (*journal.sure, *journal.unsure)
    )
    assert contents(target) == uninterrupted[1]


def test_an_output_file_that_got_lost_is_written_again(
    source: Path, uninterrupted: tuple[list[Step], dict[str, bytes]], tmp_path: Path
):
    """Also when the run that noticed it is cut at once: zeros are no weights."""
    target = tmp_path / "out"
    half_done(source, target)
    (target / temporary_name(FILE)).unlink()
    for step in run_of(source, target).steps():
        if step.stage == "lay out":
            break
    run = run_of(source, target)
    for _ in run.steps():
        pass
    assert run.bytes_kept == 0
    assert contents(target) == uninterrupted[1]


def test_another_recipe_does_not_go_on(source: Path, tmp_path: Path):
    half_done(source, tmp_path / "out")
    with pytest.raises(
        ConversionError, match=r"recipe was 'mac-64gb', is '4bit'.*--overwrite"
    ):
        convert(source, tmp_path / "out", recipe="4bit")
    convert(source, tmp_path / "out", recipe="4bit", overwrite=True)
    load_model(tmp_path / "out")


def copy_of(source: Path, folder: Path) -> Path:
    shutil.copytree(source, folder)  # with the times of change
    return folder


def test_a_source_that_moved_is_still_the_same(
    source: Path, uninterrupted: tuple[list[Step], dict[str, bytes]], tmp_path: Path
):
    half_done(source, tmp_path / "out")
    steps_of(copy_of(source, tmp_path / "moved"), tmp_path / "out")
    assert contents(tmp_path / "out") == uninterrupted[1]


def test_a_source_that_changed_does_not_go_on(source: Path, tmp_path: Path):
    changed = copy_of(source, tmp_path / "changed")
    half_done(changed, tmp_path / "out")
    file = sorted(changed.glob("*.safetensors"))[1]
    os.utime(file, ns=(0, 0))
    with pytest.raises(ConversionError, match=rf"source differs in {file.name}"):
        convert(changed, tmp_path / "out", recipe="mac-64gb")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("gone", r"lacks 1 of 3 weight files: model-00002.*fetch them"),
        ("cut", r"model-00002.* is truncated: .* bytes found"),
    ],
)
def test_a_lost_or_cut_source_is_named(
    source: Path, tmp_path: Path, damage: str, message: str
):
    damaged = copy_of(source, tmp_path / "damaged")
    half_done(damaged, tmp_path / "out")
    file = sorted(damaged.glob("*.safetensors"))[1]
    if damage == "gone":
        file.unlink()
    else:
        os.truncate(file, file.stat().st_size - 1)
    with pytest.raises(CheckpointError, match=message):
        convert(damaged, tmp_path / "out", recipe="mac-64gb")


def test_a_source_that_gets_lost_underway_is_named_and_can_come_back(
    source: Path, uninterrupted: tuple[list[Step], dict[str, bytes]], tmp_path: Path
):
    fragile = copy_of(source, tmp_path / "fragile")
    file = sorted(fragile.glob("*.safetensors"))[-1]
    content, times = file.read_bytes(), file.stat()
    steps = run_of(fragile, tmp_path / "out").steps()
    next(steps)
    file.unlink()
    with pytest.raises(CheckpointError, match=r"No such file.*goes on where"):
        list(steps)
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    check_resumed(fragile, tmp_path / "out", uninterrupted)


def test_another_group_size_does_not_go_on(source: Path, tmp_path: Path):
    half_done(source, tmp_path / "out")
    recipe = find_recipe("mac-64gb").with_group_size(32)
    with pytest.raises(ConversionError, match="group size was 64, is 32"):
        convert(source, tmp_path / "out", recipe=recipe)


def test_nothing_is_read_twice(source: Path, tmp_path: Path):
    """Every byte of the source once, whatever the form of the output."""
    run = run_of(source, tmp_path / "out")
    steps = list(run.steps())
    assert run.bytes_read == read_checkpoint(source).nbytes == steps[-1].done
    assert np.all(np.diff([step.done for step in steps]) >= 0)
