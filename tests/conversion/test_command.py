"""The converter as a person uses it: words in, statuses and lines out."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest

from mlx_glm45v import ChatSession, load
from mlx_glm45v.conversion import command
from mlx_glm45v.conversion.journal import JOURNAL_NAME
from tests.conversion.forms import contents
from tests.hub.stand_in import StandInHub, point_to, stand_in_hub

ROOT = Path(__file__).parents[2]
REPO = "somebody/demo"


def run(*words: str) -> int:
    return command.main(list(words))


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo at 8 bits, by the command line."""
    folder = tmp_path_factory.mktemp("converted") / "demo-8bit"
    assert run("--hf-path", "demo", "--mlx-path", str(folder), "-q", "--q-bits=8") == 0
    return folder


def test_a_conversion_ends_with_a_summary(tmp_path: Path, capsys):
    out = tmp_path / "out"
    assert run("--hf-path", "demo", "--mlx-path", str(out), "--recipe=mac-64gb") == 0
    said = capsys.readouterr()
    assert "1 weight file" in said.out
    assert "(recipe mac-64gb, bfloat16)" in said.out
    assert f"--model {out}" in said.out
    assert said.err == ""
    card = (out / "README.md").read_text()
    assert "convert.py --hf-path demo --mlx-path out --recipe mac-64gb\n" in card


def test_the_same_recipe_in_other_words_gives_the_same_files(
    converted: Path, tmp_path: Path
):
    out = tmp_path / converted.name
    assert run("--hf-path", "demo", "--mlx-path", str(out), "--recipe", "8bit") == 0
    assert contents(out) == contents(converted)


def test_a_folder_in_the_way_is_one_line_and_status_1(converted: Path, capsys):
    before = contents(converted)
    assert run("--hf-path", "demo", "--mlx-path", str(converted), "-q") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {converted} is not empty")
    assert contents(converted) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--hf-path", "./no/such/folder", "-q"], "no/such/folder"),
        (["--hf-path", "demo", "--fetch-by-shard", "-q"], "--fetch-by-shard"),
        (["--mlx-path", "./no/such/folder", "--verify"], "no/such/folder"),
    ],
)
def test_a_failure_is_told_without_a_traceback(words, said, tmp_path, capsys):
    if "--mlx-path" not in words:
        words = [*words, "--mlx-path", str(tmp_path / "out")]
    assert run(*words) == 1
    err = capsys.readouterr().err
    assert said in err
    assert "error:" in err
    assert "Traceback" not in err


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys):
    out = tmp_path / "out"
    words = ["--hf-path", "demo", "--mlx-path", str(out), "-q", "--dry-run"]
    assert run(*words) == 0
    said = capsys.readouterr().out
    assert "bits for each of" in said
    assert " 512 GB " in said
    assert list(tmp_path.iterdir()) == []


def test_the_recipes_are_listed_for_the_real_model_or_another(capsys):
    assert run("--list-recipes") == 0
    assert "107,710,933,120 weights" in capsys.readouterr().out
    assert run("--list-recipes", "--hf-path", "demo") == 0
    assert "demo, " in capsys.readouterr().out


# Checking.


def test_a_finished_folder_is_checked_and_not_converted_again(converted: Path, capsys):
    before = contents(converted)
    words = ["--hf-path", "demo", "--mlx-path", str(converted), "-q", "--q-bits=8"]
    assert run(*words, "--verify") == 0
    said = capsys.readouterr().out
    assert "expert down" in said
    assert re.search(r"Describe the picture\. \S.* tokens/s", said)
    assert said.endswith("everything is as it was written\n")
    assert contents(converted) == before


def test_overwriting_converts_before_it_checks(converted: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    shutil.copytree(converted, out)
    words = ["--hf-path", "demo", "--mlx-path", str(out), "-q", "--q-bits=3"]
    assert run(*words, "--verify", "--overwrite") == 0
    assert "3 bit affine" in capsys.readouterr().out


def test_a_folder_can_be_checked_alone(converted: Path, capsys):
    assert run("--mlx-path", str(converted), "--verify") == 0
    assert "no source to compare with" in capsys.readouterr().out


def test_something_off_is_named_with_status_1(converted: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    shutil.copytree(converted, out)
    weights = out / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 16
    weights.write_bytes(content)
    assert run("--mlx-path", str(out), "--verify") == 1
    said = capsys.readouterr()
    first, last = said.err.splitlines()
    assert first.startswith(f"off: {weights}: ")
    assert "language_model.lm_head.biases" in first
    assert last == f"error: one thing is off in {out}"
    assert "everything" not in said.out


# Repositories.


@pytest.fixture
def hub(
    demo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StandInHub]:
    files = {path.name: path.read_bytes() for path in demo_folder.iterdir()}
    cache = str(tmp_path / "cache")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", cache)
    with stand_in_hub({REPO: files}) as hub:
        point_to(hub, monkeypatch)
        yield hub


@pytest.mark.usefixtures("hub")
def test_a_repository_is_fetched_converted_and_checked(tmp_path: Path, capsys):
    out = tmp_path / "out"
    words = ["--hf-path", REPO, "--mlx-path", str(out), "-q", "--verify"]
    assert run(*words) == 0
    assert "expert down" in capsys.readouterr().out
    assert f"base_model: {REPO}" in (out / "README.md").read_text()


@pytest.mark.usefixtures("hub")
def test_fetched_file_by_file_it_is_the_same(tmp_path: Path, capsys):
    out = tmp_path / "a" / "out"
    words = ["--hf-path", REPO, "-q", "--mlx-path"]
    assert run(*words, str(out), "--fetch-by-shard", "--verify") == 0
    said = capsys.readouterr()
    assert "fetched one by one" in said.err
    assert "not on this machine" in said.err
    assert run(*words, str(tmp_path / "b" / "out")) == 0
    assert contents(out) == contents(tmp_path / "b" / "out")


# Ctrl-C.


def interrupted(words: list[str], *, after: str) -> tuple[int, str, float]:
    """Status, what the terminal showed, and seconds from Ctrl-C to the end."""
    screen, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "convert.py", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=other,
    )
    os.close(other)
    shown = ""
    pressed = 0.0
    while True:
        try:
            shown += os.read(screen, 4096).decode(errors="replace")
        except OSError:  # the other end was closed
            break
        if not pressed and after in shown:
            pressed = time.perf_counter()
            process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    os.close(screen)
    assert process.stdout is not None
    process.stdout.close()
    return process.returncode, shown, time.perf_counter() - pressed


def test_ctrl_c_stops_with_130_and_the_same_command_goes_on(tmp_path: Path, capsys):
    out = tmp_path / "a" / "out"
    words = ["--hf-path", "demo", "--recipe", "3bit", "--search", "--mlx-path"]
    status, shown, seconds = interrupted([*words, str(out)], after="layer")
    assert status == 130
    assert "the same command goes on" in shown
    assert "Traceback" not in shown
    # Mostly the time that a process takes to end on a busy machine.
    assert seconds < 10
    assert (out / JOURNAL_NAME).exists()
    assert run(*words, str(out)) == 0
    assert "an earlier run had dealt with" in capsys.readouterr().out
    assert run(*words, str(tmp_path / "b" / "out")) == 0
    assert contents(out) == contents(tmp_path / "b" / "out")


# The model that comes out.


@pytest.mark.parametrize(
    "question",
    [
        "Describe the picture.",
        "How many shapes are there?",
        "What colour is the star?",
        "Which shape is red?",
    ],
)
def test_the_converted_demo_answers_as_before(
    converted_demo, demo, demo_media: Path, question: str
):
    picture = [demo_media / "example.png"]
    before = ChatSession(*demo).ask(question, images=picture, thinking=False)
    after = ChatSession(*converted_demo).ask(question, images=picture, thinking=False)
    assert after.answer == before.answer
    assert after.answer


@pytest.fixture(scope="module")
def converted_demo(converted: Path):
    return load(converted)
