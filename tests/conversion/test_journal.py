"""A journal remembers what was finished, whatever moment the process ended at."""

from __future__ import annotations

import fcntl
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlx_glm45v.conversion.journal import JOURNAL_NAME, Journal
from mlx_glm45v.errors import ConversionError

BEGUN_AS = {"recipe": "4bit"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / JOURNAL_NAME


def written(path: Path) -> bytes:
    """A journal of two synced pieces, one that is not, and a lost one."""
    journal = Journal.create(path, BEGUN_AS)
    journal.note_cleared()
    journal.note(0, (1, 2, 3))
    journal.note(1, (4,))
    journal.note_synced()
    journal.note(2, (5,))
    journal.note_lost([1])
    journal.close()
    return path.read_bytes()


def test_what_was_noted_is_read_again(path: Path):
    written(path)
    journal = Journal.reopen(path)
    assert journal.begun_as == BEGUN_AS
    assert journal.cleared
    assert journal.sure == {0: (1, 2, 3)}
    assert journal.unsure == {2: (5,)}
    assert 0 in journal
    assert 1 not in journal
    assert journal.checksums(2) == (5,)
    journal.close()


def test_a_journal_goes_on_after_what_it_held(path: Path):
    written(path)
    journal = Journal.reopen(path)
    journal.note(1, (6,))
    journal.note_synced()
    journal.close()
    again = Journal.reopen(path)
    assert again.sure == {0: (1, 2, 3), 2: (5,), 1: (6,)}
    assert again.unsure == {}
    again.close()


def test_a_piece_done_again_is_unsure_until_it_is_synced(path: Path):
    journal = Journal.create(path, BEGUN_AS)
    journal.note(0, (1,))
    journal.note_synced()
    journal.note_lost([0])
    journal.note(0, (2,))
    journal.close()
    again = Journal.reopen(path)
    assert (again.sure, again.unsure) == ({}, {0: (2,)})
    again.close()


def test_a_journal_cut_anywhere_is_read_up_to_its_last_whole_line(path: Path):
    content = written(path)
    first = content.index(b"\n") + 1
    for length in range(first, len(content) + 1):
        path.write_bytes(content[:length])
        journal = Journal.reopen(path)
        whole = content[:length].rpartition(b"\n")[0].count(b'"done"')
        lost = b'"lost"' in content[:length].rpartition(b"\n")[0]
        assert len(journal.sure) + len(journal.unsure) == whole - lost
        journal.note(7, (8,))
        journal.close()
        again = Journal.reopen(path)
        assert again.unsure[7] == (8,)
        again.close()


def test_zeros_after_a_power_cut_end_the_journal(path: Path):
    content = written(path)
    path.write_bytes(content + bytes(100) + b'\n{"done":9,"checksums":[]}\n')
    journal = Journal.reopen(path)
    assert 9 not in journal
    assert 2 in journal
    journal.close()
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"\n", b"{", b"[]\n", bytes(50)])
def test_a_journal_without_its_first_line_says_what_to_do(path: Path, content: bytes):
    path.write_bytes(content)
    with pytest.raises(ConversionError, match=r"damaged; .*--overwrite"):
        Journal.reopen(path)


def test_two_conversions_cannot_write_one_folder(path: Path):
    first = Journal.create(path, BEGUN_AS)
    with pytest.raises(ConversionError, match="another conversion; wait for it"):
        Journal.reopen(path)
    first.close()
    Journal.reopen(path).close()


def test_a_journal_is_there_with_its_first_line_or_not_at_all(path: Path):
    Journal.create(path, BEGUN_AS).close()
    assert json.loads(path.read_text()) == BEGUN_AS
    assert [found.name for found in path.parent.iterdir()] == [JOURNAL_NAME]


def test_a_finished_journal_is_gone(path: Path):
    journal = Journal.create(path, BEGUN_AS)
    journal.remove()
    assert not path.exists()


def test_a_folder_has_one_conversion_at_a_time(path: Path):
    first = Journal.create(path, BEGUN_AS)
    first.note(0, (1,))
    for start in (Journal.reopen, lambda path: Journal.create(path, {"other": 1})):
        with pytest.raises(ConversionError, match="by another conversion"):
            start(path)
    first.close()
    again = Journal.reopen(path)
    assert (again.begun_as, again.unsure) == (BEGUN_AS, {0: (1,)})
    again.close()


def test_a_second_starter_does_not_empty_the_firsts_unfinished_journal(path: Path):
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(b"the first one's line")
        stream.flush()
        with pytest.raises(ConversionError, match="by another conversion"):
            Journal.create(path, BEGUN_AS)
        assert temporary.read_bytes() == b"the first one's line"


def test_of_many_starters_one_gets_the_folder(path: Path):
    def start(number: int) -> Journal | None:
        try:
            return Journal.create(path, {"number": number})
        except ConversionError:
            return None

    for _ in range(20):
        with ThreadPoolExecutor(8) as pool:
            (winner,) = filter(None, pool.map(start, range(8)))
        with pytest.raises(ConversionError):
            Journal.reopen(path)
        winner.close()
        reopened = Journal.reopen(path)
        assert reopened.begun_as == winner.begun_as
        reopened.remove()


def test_a_new_conversion_takes_the_place_of_an_open_journal(path: Path):
    old = Journal.create(path, BEGUN_AS)
    new = Journal.create(path, {"recipe": "8bit"}, replacing=old)
    with pytest.raises(ConversionError, match="by another conversion"):
        Journal.reopen(path)
    new.close()
    again = Journal.reopen(path)
    assert again.begun_as == {"recipe": "8bit"}
    again.close()


def test_a_full_disk_is_explained_by_the_journal_too(path: Path):
    journal = Journal.create(path, BEGUN_AS)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._descriptor)
    os.close(full)
    with pytest.raises(
        ConversionError, match=r"disk is full.*goes on where it stopped"
    ):
        journal.note(0, (1,))
    journal.close()
