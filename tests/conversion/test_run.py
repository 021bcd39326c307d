"""A run takes the source file by file, and checks disk and output on its way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mlx_glm45v.checkpoints import read_checkpoint
from mlx_glm45v.conversion.beside import read_checksums
from mlx_glm45v.conversion.pieces import in_order_of_files
from mlx_glm45v.conversion.pipeline import convert_plan, plan_conversion
from mlx_glm45v.conversion.writer import temporary_name
from mlx_glm45v.errors import CheckpointError, ConversionError
from mlx_glm45v.progress import Progress
from tests.checkpoint_forms import config_with, per_expert, random_weights
from tests.conversion.forms import (
    COMPRESSED_TENSORS,
    SMALL,
    contents,
    fp8_by_row,
    in_bf16,
    raws,
    write_source,
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = in_bf16(per_expert(random_weights(SMALL)))
    folder = tmp_path_factory.mktemp("source")
    return write_source(folder, SMALL, raws(weights), shards=4, seed=1)


class Elsewhere:
    """Source files that are here only between `bring` and `give_back`."""

    removes = True

    def __init__(self, folder: Path, *, room: int = 0) -> None:
        self.most = 0
        self.moves: list[str] = []
        self.expected: list[Path] = []
        self._room = room
        self._here: set[Path] = set()
        self._away = folder / "away"
        self._away.mkdir()
        for file in folder.glob("*.safetensors"):
            file.rename(self._away / file.name)

    def room(self, files: Sequence[Path]) -> int:
        return self._room * len(files)

    def here(self) -> list[Path]:
        return sorted(self._here)

    def expect(self, files: Sequence[Path]) -> None:
        self.expected = list(files)

    def bring(self, file: Path) -> None:
        if file not in self._here:
            (self._away / file.name).rename(file)
            self._here.add(file)
        self.most = max(self.most, len(self._here))
        self.moves.append(f"bring {file.name[6:11]}")

    def give_back(self, file: Path) -> None:
        file.rename(self._away / file.name)
        self._here.remove(file)
        self.moves.append(f"give back {file.name[6:11]}")


def copy_of(source: Path, folder: Path) -> Path:
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_one_source_file_is_needed_at_a_time(source: Path, tmp_path: Path):
    folder = copy_of(source, tmp_path / "copy")
    plan = plan_conversion(read_checkpoint(folder), recipe="4bit")
    elsewhere = Elsewhere(folder)
    convert_plan(
        plan,
        tmp_path / "out",
        source_name="x",
        command="y",
        identity={"commit": "abc"},
        source_files=elsewhere,
    )
    assert elsewhere.most == 1
    assert elsewhere.moves == [
        f"{what} {number:05d}"
        for number in range(1, 5)
        for what in ("bring", "give back")
    ]
    convert_plan(
        plan_conversion(read_checkpoint(source), recipe="4bit"),
        tmp_path / "whole",
        source_name="x",
        command="y",
    )
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_only_the_files_that_are_still_needed_are_brought(source: Path, tmp_path: Path):
    folder = copy_of(source, tmp_path / "copy")
    plan = plan_conversion(read_checkpoint(folder), recipe="4bit")
    elsewhere = Elsewhere(folder)

    def run() -> None:
        convert_plan(
            plan,
            tmp_path / "out",
            source_name="x",
            command="y",
            identity={},
            source_files=elsewhere,
        )

    third = folder / "away" / "model-00003-of-00004.safetensors"
    lost = third.rename(third.with_suffix(".lost"))
    with pytest.raises(FileNotFoundError):
        run()
    lost.rename(third)
    elsewhere.moves.clear()
    run()
    assert elsewhere.moves[0] == "bring 00003"


def test_a_weight_waits_for_its_scales_in_a_later_file(tmp_path: Path):
    stored, _ = fp8_by_row(random_weights(SMALL))
    config = config_with(
        text_config=SMALL["text_config"], quantization_config=COMPRESSED_TENSORS
    )
    write_source(tmp_path, config, stored, shards=3, seed=5)
    plan = plan_conversion(read_checkpoint(tmp_path), recipe="4bit")
    here: set[Path] = set()
    seen: list[int] = []
    for file, pieces, finished in in_order_of_files(plan.pieces):
        here.add(file)
        for piece in pieces:
            assert piece.span.files <= here
            assert file in piece.span.files
            seen.append(piece.number)
        here -= set(finished)
    assert sorted(seen) == list(range(len(plan.pieces)))
    assert not here


def test_the_disk_is_checked_before_anything_is_written(source: Path, tmp_path: Path):
    folder = copy_of(source, tmp_path / "copy")
    plan = plan_conversion(read_checkpoint(folder), recipe="4bit")
    with pytest.raises(ConversionError, match="GB are needed"):
        convert_plan(
            plan,
            tmp_path / "out",
            source_name="x",
            command="y",
            identity={},
            source_files=Elsewhere(folder, room=10**18),
        )
    assert not (tmp_path / "out").exists()


def test_output_that_reads_back_differently_keeps_the_source(
    source: Path, tmp_path: Path
):
    folder = copy_of(source, tmp_path / "copy")
    plan = plan_conversion(read_checkpoint(folder), recipe="4bit")
    elsewhere = Elsewhere(folder)
    out = tmp_path / "out"

    def damage(_: Progress) -> None:
        file = plan.files[0]
        path = out / temporary_name(file.name)
        if path.exists():
            path.write_bytes(file.header + bytes(file.size - len(file.header)))

    with pytest.raises(ConversionError, match=r"cannot be read back .*check the disk"):
        convert_plan(
            plan,
            out,
            source_name="x",
            command="y",
            identity={},
            source_files=elsewhere,
            progress=damage,
        )
    assert [file.name for file in elsewhere.here()] == [
        "model-00001-of-00004.safetensors"
    ]


def test_a_finished_folder_without_checksums_is_named(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"checksums\.json cannot be read"):
        read_checksums(tmp_path)
