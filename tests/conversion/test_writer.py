"""Files are laid out under temporary names, filled in place, and named at the end."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlx_glm45v.conversion.layout import Array, OutputFile, lay_out
from mlx_glm45v.conversion.writer import Writer, temporary_name
from mlx_glm45v.errors import ConversionError

FILES = lay_out(
    [Array("a", "U8", (1000,)), Array("b", "U8", (1500,))], largest_file=2000
)
A, B = (file.slots[0] for file in FILES)


def fill(writer: Writer) -> None:
    writer.write(B, 500, b"2" * 1000)
    writer.write(A, 0, b"1" * 1000)
    writer.write(B, 0, b"0" * 500)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_arrays_are_written_in_any_order_and_named_at_the_end(tmp_path: Path):
    with Writer(tmp_path, FILES) as writer:
        assert writer.missing() == {file.name for file in FILES}
        assert list(writer.lay_out()) == [file.name for file in FILES]
        assert names(tmp_path) == sorted(temporary_name(file.name) for file in FILES)
        fill(writer)
        writer.sync()
        list(writer.publish())
    assert names(tmp_path) == [file.name for file in FILES]
    first, second = ((tmp_path / file.name).read_bytes() for file in FILES)
    assert first == FILES[0].header + b"1" * 1000
    assert second == FILES[1].header + b"0" * 500 + b"2" * 1000


def test_what_was_written_can_be_read_back(tmp_path: Path):
    with Writer(tmp_path, FILES) as writer:
        list(writer.lay_out())
        fill(writer)
        assert writer.checksum(B, 499, 2) == zlib.crc32(b"02")


def test_laying_out_again_keeps_what_is_there(tmp_path: Path):
    with Writer(tmp_path, FILES) as writer:
        list(writer.lay_out())
        fill(writer)
    with Writer(tmp_path, FILES) as writer:
        assert writer.missing() == set()
        list(writer.lay_out())
        assert writer.checksum(A, 0, 3) == zlib.crc32(b"111")


@pytest.mark.parametrize("damage", ["gone", "short", "header"])
def test_a_file_that_is_not_the_plans_is_missing_and_made_anew(
    tmp_path: Path, damage: str
):
    with Writer(tmp_path, FILES) as writer:
        list(writer.lay_out())
        fill(writer)
    path = tmp_path / temporary_name(FILES[0].name)
    if damage == "gone":
        path.unlink()
    elif damage == "short":
        os.truncate(path, 100)
    else:
        path.write_bytes(b"x" * FILES[0].size)
    with Writer(tmp_path, FILES) as writer:
        assert writer.missing() == {FILES[0].name}
        list(writer.lay_out())
        assert writer.checksum(A, 0, 3) == zlib.crc32(bytes(3))
        assert writer.checksum(B, 0, 3) == zlib.crc32(b"000")


def test_final_names_count_only_when_a_run_is_finishing(tmp_path: Path):
    with Writer(tmp_path, FILES) as writer:
        list(writer.lay_out())
        next(writer.publish())
    assert Writer(tmp_path, FILES, finishing=True).missing() == set()
    assert Writer(tmp_path, FILES).missing() == {FILES[0].name}
    with Writer(tmp_path, FILES, finishing=True) as writer:
        list(writer.lay_out())
        list(writer.publish())
    assert names(tmp_path) == [file.name for file in FILES]


# Disks.


def huge(size: int) -> tuple[OutputFile, ...]:
    return lay_out([Array("a", "U8", (size,))])


def test_a_disk_that_is_too_small_is_refused_with_the_numbers(tmp_path: Path):
    free = shutil.disk_usage(tmp_path).free
    Writer(tmp_path, FILES).check_space()
    with pytest.raises(
        ConversionError, match=r"GB free, .* GB are needed; free .* GB, choose"
    ):
        Writer(tmp_path, huge(free)).check_space()
    with pytest.raises(ConversionError, match="are needed"):
        Writer(tmp_path, FILES).check_space(extra=free)
    Writer(tmp_path, huge(free)).check_space(extra=-(10**9))


def test_space_is_looked_up_where_the_folder_will_be(tmp_path: Path):
    Writer(tmp_path / "not" / "there", FILES).check_space()


@pytest.fixture
def small_limit() -> Iterator[int]:
    """Files of this process cannot grow beyond the limit: writing fails like ENOSPC."""
    limit = 1_000_000
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_file_that_cannot_be_laid_out_says_what_to_do(
    tmp_path: Path, small_limit: int
):
    with (
        Writer(tmp_path, huge(small_limit)) as writer,
        pytest.raises(ConversionError, match=r"model\.safetensors cannot be written"),
    ):
        list(writer.lay_out())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_says_what_to_do(tmp_path: Path):
    with Writer(tmp_path, FILES) as writer:
        list(writer.lay_out())
        full = os.open("/dev/full", os.O_RDWR)
        # The file's own descriptor now leads to a device without room.
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            try:
                leads_to = os.readlink(f"/proc/self/fd/{descriptor}")
            except OSError:
                continue
            if leads_to == str(tmp_path / temporary_name(FILES[0].name)):
                os.dup2(full, descriptor)
        os.close(full)
        with pytest.raises(ConversionError, match=r"disk is full.* goes on where"):
            writer.write(A, 0, b"1")
