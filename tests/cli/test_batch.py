"""`--batch` as people use it: runs, stops, kills, wrong lines, exit statuses."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from random import Random

import pytest

from mlx_glm45v import generate
from mlx_glm45v.demo.scenes import draw, random_scene

COMMAND = [sys.executable, "-m", "mlx_glm45v.generate"]
CAPTIONS = 8


@pytest.fixture
def folder(tmp_path):
    """Pictures of a folder and the file that asks for their captions."""
    rows = []
    for number in range(CAPTIONS):
        draw(random_scene(Random(number))).save(tmp_path / f"{number}.png")
        row = {"id": f"{number}.png", "images": [f"{number}.png"]}
        rows.append(
            row | {"prompt": "Describe the picture.", "thinking": number % 3 == 0}
        )
    write(tmp_path, *rows)
    return tmp_path


def write(folder, *rows):
    text = "".join(
        (row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows
    )
    (folder / "in.jsonl").write_text(text)


def words(folder, *more):
    files = ["--batch", str(folder / "in.jsonl"), "--output", str(folder / "out.jsonl")]
    return [*files, *more]


def run(folder, *more):
    return generate.main(words(folder, *more))


def answers(folder):
    lines = (folder / "out.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def said(rows):
    """What does not depend on the clock or on neighbours."""
    return [
        {name: value for name, value in row.items() if name != "usage"}
        | {"generated": row.get("usage", {}).get("generated_tokens")}
        for row in rows
    ]


def test_every_picture_of_a_folder_gets_a_caption(folder, capsys):
    assert run(folder) == 0
    rows = answers(folder)
    assert [row["id"] for row in rows] == [f"{n}.png" for n in range(CAPTIONS)]
    for number, row in enumerate(rows):
        assert "shows" in row["answer"]
        assert bool(row["thinking"]) is (number % 3 == 0)
        assert row["boxes"] == []
        assert row["usage"]["image_tokens"] > 0
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{CAPTIONS} lines answered" in told.err


def test_answers_do_not_depend_on_the_batchs_size(folder):
    assert run(folder, "--batch-size", "1") == 0
    one_by_one = said(answers(folder))
    (folder / "out.jsonl").unlink()
    assert run(folder, "--batch-size", "5") == 0
    assert said(answers(folder)) == one_by_one


def test_without_output_answers_are_printed(folder, capsys):
    assert generate.main(["--batch", str(folder / "in.jsonl"), "-m", "2"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(row["line"] for row in rows) == list(range(1, CAPTIONS + 1))


def test_wrong_lines_are_told_and_the_others_answered(folder, capsys):
    (folder / "torn.png").write_bytes(b"\x89PNG")
    write(
        folder,
        {"id": "a", "images": ["0.png"], "prompt": "Describe the picture."},
        "no JSON",
        {"prompt": "a", "imgs": ["0.png"]},
        {"id": "b", "images": ["missing.png"]},
        {"id": "c", "images": ["torn.png"]},
        {"id": "d", "prompt": "word " * 5000},
        {"id": "e", "prompt": "Hello!"},
    )
    assert run(folder) == 1
    rows = {row["line"]: row for row in answers(folder)}
    assert list(rows) == [1, 2, 3, 4, 5, 6, 7]
    assert rows[1]["answer"]
    assert rows[7]["answer"]
    told = capsys.readouterr().err
    for number, words_ in (
        (2, "not JSON"),
        (3, "unknown field 'imgs'"),
        (4, "missing.png"),
        (5, "torn.png"),
        (6, "tokens"),
    ):
        assert words_ in rows[number]["error"]
        assert f"line {number}: {rows[number]['error']}" in told
    assert "2 lines answered" in told
    assert "5 failed" in told


def test_what_failed_is_asked_again_and_what_was_answered_is_not(folder, capsys):
    write(folder, {"images": ["0.png"]}, {"images": ["new.png"]})
    assert run(folder) == 1
    before = answers(folder)
    shutil.copy(folder / "1.png", folder / "new.png")
    assert run(folder) == 0
    assert answers(folder)[0] == before[0]
    assert answers(folder)[1]["answer"]
    assert "1 of 2 lines have answers" in capsys.readouterr().err


def test_a_changed_line_is_asked_again(folder, capsys):
    ask = {"images": ["0.png"], "prompt": "Describe the picture."}
    write(folder, ask, {"prompt": "Hello!"})
    assert run(folder) == 0
    first, _ = answers(folder)
    write(folder, {"prompt": "Hi"}, ask | {"prompt": "How many shapes are there?"}, ask)
    assert run(folder) == 0
    assert [row["line"] for row in answers(folder)] == [1, 2, 3]
    assert answers(folder)[2] == first | {"line": 3}
    assert "1 answers are to lines that were changed" in capsys.readouterr().err


def test_a_picture_that_was_replaced_is_asked_again(folder):
    ask = {"prompt": "Describe the picture."}
    write(folder, ask | {"images": ["0.png"]}, ask | {"images": ["1.png"]})
    assert run(folder) == 0
    before = answers(folder)
    shutil.copy(folder / "1.png", folder / "0.png")
    assert run(folder) == 0
    replaced, kept = answers(folder)
    assert kept == before[1]
    assert replaced["answer"] == kept["answer"] != before[0]["answer"]


def test_pictures_that_were_all_touched_are_asked_again(folder):
    write(folder, {"images": ["0.png"]}, {"images": ["1.png"]})
    assert run(folder) == 0
    before = answers(folder)
    for name in ("0.png", "1.png"):
        os.utime(folder / name, ns=(1, 10**18))
    assert run(folder) == 0
    again = answers(folder)
    assert [row["answer"] for row in again] == [row["answer"] for row in before]
    assert {row["digest"] for row in again}.isdisjoint(row["digest"] for row in before)


def test_nothing_is_loaded_when_nothing_is_left(folder):
    write(folder, {"prompt": "Hello!"})
    assert run(folder) == 0
    before = answers(folder)
    assert run(folder) == 0
    assert answers(folder) == before
    write(folder)
    (folder / "out.jsonl").unlink()
    assert run(folder, "--model", "demo") == 0
    assert answers(folder) == []


def test_other_options_do_not_mix_with_earlier_answers(folder, capsys):
    write(folder, {"prompt": "Hello!"})
    assert run(folder) == 0
    before = answers(folder)
    assert run(folder, "-m", "2") == 1
    assert "choose another --output" in capsys.readouterr().err
    assert answers(folder) == before


def test_options_that_fit_no_line_are_told_once_and_no_line_fails(
    folder, narrow_demo_folder, capsys
):
    assert run(folder, "--model", str(narrow_demo_folder), "--kv-bits", "8") == 1
    assert capsys.readouterr().err.count("heads of a multiple of 64") == 1
    assert answers(folder) == []


def test_the_questions_are_not_written_over(folder, capsys):
    file = str(folder / "in.jsonl")
    before = (folder / "in.jsonl").read_bytes()
    assert generate.main(["--batch", file, "--output", file]) == 1
    assert "choose another --output" in capsys.readouterr().err
    assert (folder / "in.jsonl").read_bytes() == before


def started(folder, *more):
    """A run in a process of its own that has written an answer or two."""
    process = subprocess.Popen(
        [*COMMAND, *words(folder, "--batch-size", "2", *more)],
        stderr=subprocess.PIPE,
        text=True,
    )
    output = folder / "out.jsonl"
    deadline = time.monotonic() + 60
    while not (output.exists() and output.read_bytes().count(b"\n") >= 2):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return process


def test_a_killed_run_goes_on_to_the_file_of_a_whole_one(folder):
    assert run(folder, "--batch-size", "2") == 0
    whole = said(answers(folder))
    (folder / "out.jsonl").unlink()
    process = started(folder)
    process.kill()
    process.communicate()
    torn = (folder / "out.jsonl").read_bytes()
    assert 2 <= torn.count(b"\n") < CAPTIONS
    # A kill in the middle of a write.
    (folder / "out.jsonl").write_bytes(torn + b'{"line": 7, "id"')
    assert run(folder, "--batch-size", "2") == 0
    assert said(answers(folder)) == whole


def interrupted(process):
    """What a run said that was stopped by Ctrl-C."""
    pressed = time.perf_counter()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    # Mostly the time that a process takes to end on a busy machine.
    assert time.perf_counter() - pressed < 10
    assert "Traceback" not in err
    return err


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(folder):
    err = interrupted(started(folder))
    done = answers(folder)
    assert f"stopped: {len(done)} of {CAPTIONS} lines are in" in err
    assert "The same command goes on" in err
    assert 2 <= len(done) < CAPTIONS
    assert {row["finish_reason"] for row in done} == {"stop"}
    assert run(folder, "--batch-size", "2") == 0
    assert len(answers(folder)) == CAPTIONS


def test_ctrl_c_before_the_first_answer_keeps_what_was_told(folder):
    lines = (folder / "in.jsonl").read_text()
    write(folder, "wrong", "wrong too", *lines.splitlines())
    # A hot draw seldom ends by itself.
    err = interrupted(started(folder, "--temp", "9", "--seed", "3"))
    assert f"stopped: 2 of {CAPTIONS + 2} lines are in" in err
    assert ["error" in row for row in answers(folder)] == [True, True]
