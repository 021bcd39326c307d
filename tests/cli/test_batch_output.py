import json
import os
from dataclasses import replace

import pytest

from mlx_glm45v.cli.batch_lines import BatchLine
from mlx_glm45v.cli.batch_output import BatchOutput, as_record
from mlx_glm45v.errors import Glm45vError

LINES = [
    BatchLine(number, f"digest {number}", f"question {number}", id=f"é{number}")
    for number in (1, 2, 3)
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.jsonl"


def written(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def answer(output, line, words="yes"):
    output.append(as_record(line, {"answer": words}))


def fill(path, *lines):
    output = BatchOutput(path)
    for line in lines:
        answer(output, line)
    output.close()


def test_a_record_is_in_the_file_as_soon_as_it_is_written(path):
    output = BatchOutput(path)
    answer(output, LINES[1])
    digests = {"digest": "digest 2", "question": "question 2"}
    assert written(path) == [{"line": 2, "id": "é2", **digests, "answer": "yes"}]
    output.close()


def test_answers_of_an_earlier_run_count_and_errors_are_asked_again(path):
    output = BatchOutput(path)
    answer(output, LINES[1])
    output.append(as_record(LINES[0], {"error": "torn"}))
    output.close()
    again = BatchOutput(path)
    assert again.waiting(LINES) == [LINES[0], LINES[2]]
    again.close()


def test_equal_lines_need_an_answer_each(path):
    fill(path, LINES[0])
    output = BatchOutput(path)
    assert output.waiting([LINES[0], LINES[0]]) == [LINES[0]]
    output.close()


@pytest.mark.parametrize("cut", [1, 5, 9, 20, -1])
def test_a_torn_last_line_is_cut_off(path, cut):
    fill(path, LINES[0], LINES[1])
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:cut])
    output = BatchOutput(path)
    assert path.read_bytes() == first
    assert output.waiting(LINES) == LINES[1:]
    answer(output, LINES[1])
    output.close()
    assert [row["line"] for row in written(path)] == [1, 2]


def test_zeros_that_a_power_cut_left_are_cut_off(path):
    fill(path, LINES[0])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"li' + b"\0" * 50)
    BatchOutput(path).close()
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "foreign",
    [
        b"dear diary",
        b"dear diary\n",
        b'{"prompt": "a"}\n{"prompt": "b"}\n',
        b"[1]\n",
        b'{"line": 1, "digest": "d", "answer": "a"}\n{"li\n',
    ],
)
def test_another_file_is_left_as_it_is(path, foreign):
    path.write_bytes(foreign)
    with pytest.raises(Glm45vError, match=r"no output of --batch.* line \d"):
        BatchOutput(path)
    assert path.read_bytes() == foreign


def test_answers_to_another_file_are_not_dropped(path):
    fill(path, LINES[0])
    output = BatchOutput(path)
    with pytest.raises(Glm45vError, match="none to a line of this file"):
        output.waiting(LINES[1:])
    output.close()
    assert len(written(path)) == 1


def test_answers_to_lines_whose_media_were_all_changed_are_asked_again(path):
    fill(path, LINES[0])
    changed = replace(LINES[0], digest="of the file now")
    output = BatchOutput(path)
    assert output.waiting([changed]) == [changed]
    assert output.left_over([changed]) == 1
    answer(output, changed, "no")
    output.finish([changed])
    output.close()
    assert [row["answer"] for row in written(path)] == ["no"]


def test_answers_of_earlier_versions_which_wrote_no_questions_count(path):
    old = b'{"line": 1, "id": null, "digest": "digest 1", "answer": "yes"}\n'
    path.write_bytes(old)
    output = BatchOutput(path)
    assert output.waiting(LINES) == LINES[1:]
    output.close()
    assert path.read_bytes() == old


def test_the_finished_file_is_in_the_order_of_the_lines(path):
    output = BatchOutput(path)
    for line in reversed(LINES):
        answer(output, line)
    output.finish(LINES)
    output.close()
    assert [row["id"] for row in written(path)] == ["é1", "é2", "é3"]
    assert os.listdir(path.parent) == ["out.jsonl"]


def test_a_changed_line_replaces_its_answer_at_the_end(path):
    fill(path, *LINES)
    moved = replace(LINES[0], number=9)
    changed = replace(LINES[1], digest="another", question="another")
    output = BatchOutput(path)
    lines = [changed, moved]
    assert output.waiting(lines) == [changed]
    assert output.left_over(lines) == 2
    answer(output, changed, "no")
    output.finish(lines)
    output.close()
    assert [(row["line"], row["answer"]) for row in written(path)] == [
        (2, "no"),
        (9, "yes"),
    ]


def test_the_last_error_of_a_line_stays_until_it_is_answered(path):
    output = BatchOutput(path)
    for error in ("first", "second"):
        output.append(as_record(LINES[0], {"error": error}))
    output.finish(LINES[:1])
    output.close()
    assert [row["error"] for row in written(path)] == ["second"]
    output = BatchOutput(path)
    answer(output, LINES[0])
    output.finish(LINES[:1])
    output.close()
    assert ["error" in row for row in written(path)] == [False]


def test_a_finished_file_is_not_written_again(path):
    fill(path, *LINES)
    before = path.stat()
    output = BatchOutput(path)
    output.finish(LINES)
    output.close()
    assert os.path.samestat(before, path.stat())


def test_a_link_stays_a_link(path):
    real = path.with_name("real.jsonl")
    path.symlink_to(real)
    output = BatchOutput(path)
    for line in reversed(LINES):
        answer(output, line)
    output.finish(LINES)
    output.close()
    assert path.is_symlink()
    assert [row["line"] for row in written(real)] == [1, 2, 3]


def test_two_runs_do_not_write_one_file(path):
    output = BatchOutput(path)
    with pytest.raises(Glm45vError, match="being written by another run"):
        BatchOutput(path)
    output.close()
    BatchOutput(path).close()


@pytest.mark.parametrize(
    ("name", "said"),
    [(".", "directory"), ("no/such/out", "No such"), ("pipe", "regular")],
)
def test_what_cannot_be_written_is_told(tmp_path, name, said):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Glm45vError, match=said):
        BatchOutput(tmp_path / name)


def test_a_record_that_the_disk_refuses_leaves_whole_lines(path, monkeypatch):
    output = BatchOutput(path)
    answer(output, LINES[0])
    write = os.write

    def full(descriptor, data):
        if len(data) > 10:
            return write(descriptor, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Glm45vError, match=r"No space left.*the same command goes on"):
        answer(output, LINES[1], "y" * 50)
    monkeypatch.undo()
    output.close()
    assert [row["line"] for row in written(path)] == [1]
