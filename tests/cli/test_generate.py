"""The command line as people use it: streams, exit statuses, signals."""

import io
import json
import shutil
import signal
import subprocess
import sys
import time

import pytest

from mlx_glm45v import generate
from mlx_glm45v.chat import ChatOptions, ChatSession
from mlx_glm45v.cli.arguments import parse
from mlx_glm45v.cli.interactive import Conversation
from mlx_glm45v.cli.preparing import experts_noted
from mlx_glm45v.cli.terminal import Terminal
from mlx_glm45v.errors import MediaError
from mlx_glm45v.loading import load
from tests.memory.configs import HUGE, write_sparse

COMMAND = [sys.executable, "-m", "mlx_glm45v.generate"]


@pytest.fixture
def picture(demo_media) -> str:
    return str(demo_media / "example.png")


@pytest.fixture
def clip(demo_media) -> str:
    return str(demo_media / "example.mp4")


def test_a_question_about_a_picture_is_answered_on_standard_output(picture, capsys):
    assert generate.main(["Describe the picture.", "--image", picture]) == 0
    said = capsys.readouterr()
    assert said.out.strip()
    assert "demo" in said.err
    assert "<" not in said.out


def test_json_is_one_document_and_nothing_else(picture, capsys):
    words = ["How many shapes are there?", "--image", picture, "--json", "--thinking"]
    assert generate.main(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["answer"]
    assert document["thinking"]
    assert document["boxes"] == []
    assert document["finish_reason"] == "stop"
    assert document["usage"]["image_tokens"] > 0
    assert document["usage"]["tokens_per_second"] > 0
    assert document["media"][0]["name"] == "example.png"


def test_a_video_and_a_picture_together_with_statistics(picture, clip, capsys):
    words = ["--video", clip, "--image", picture, "--stats", "-m", "4"]
    assert generate.main([*words, "--no-thinking"]) == 0
    said = capsys.readouterr().err
    assert "of pictures" in said
    assert "of video" in said


def test_the_seed_repeats_an_answer_at_a_high_temperature(picture, capsys):
    words = ["Hi", "--image", picture, "--temp", "3", "-m", "12", "--seed"]
    answers = []
    for seed in ("1", "1", "2"):
        generate.main([*words, seed])
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1] != answers[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Hi", "--image", "missing.png"], "missing.png"),
        (["Hi", "--video", "missing.mp4"], "missing.mp4"),
        (["Hi", "--document", "."], "folder"),
        (["Hi", "--model", "./no/such/folder"], "no/such/folder"),
    ],
)
def test_a_failure_is_one_line_and_status_1(words, said, capsys):
    assert generate.main(words) == 1
    err = capsys.readouterr().err
    (line,) = [line for line in err.splitlines() if line.startswith("error:")]
    assert said in line
    assert "Traceback" not in err


def test_a_model_too_large_shows_the_sum(demo_folder, tmp_path, capsys):
    for file in demo_folder.iterdir():
        if file.suffix != ".safetensors":
            shutil.copy(file, tmp_path)
    folder = write_sparse(tmp_path, HUGE)
    assert generate.main(["Hi", "--model", str(folder)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert any("needs" in line and str(folder) in line for line in lines)
    assert any(line.split()[0] == "weights" for line in lines)
    assert any("--force" in line for line in lines)


def test_a_missing_file_is_told_before_the_model_is_loaded(capsys):
    generate.main(["Hi", "--image", "missing.png", "--model", "./no/such/folder"])
    assert "missing.png" in capsys.readouterr().err


def test_help_answers_within_half_a_second():
    def run() -> float:
        start = time.perf_counter()
        done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True)
        assert done.returncode == 0
        assert "--draw-boxes" in done.stdout
        return time.perf_counter() - start

    assert min(run() for _ in range(3)) < 0.5


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from mlx_glm45v.cli.arguments import build_parser; "
        "import mlx_glm45v.generate; build_parser().format_help(); "
        "print([m for m in ('mlx', 'numpy', 'PIL', 'tokenizers', 'huggingface_hub', "
        "'mlx_lm', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_the_prompt_may_come_from_standard_input(picture, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("Describe the picture.\n"))
    assert generate.main(["-", "--image", picture, "--no-thinking"]) == 0
    assert capsys.readouterr().out.strip()


def test_an_empty_standard_input_is_told(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(" \n"))
    assert generate.main(["-"]) == 1
    assert "holds no prompt" in capsys.readouterr().err


def test_ctrl_c_stops_with_130_and_keeps_the_words_so_far(picture):
    # A hot draw seldom ends by itself, with this seed not within 400 tokens.
    hot = ["--temp", "9", "--seed", "3", "-m", "8000"]
    words = ["Hi", "--image", picture, *hot]
    process = subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.read(1)
    pressed = time.perf_counter()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    # Mostly the time that a process takes to end on a busy machine.
    assert time.perf_counter() - pressed < 10
    assert "(stopped)" in err
    assert "Traceback" not in err


def test_a_reader_who_leaves_is_no_error_to_show(picture):
    process = subprocess.Popen(
        [*COMMAND, "Hi", "--image", picture, "--no-thinking", "--temp", "9"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    assert process.wait(timeout=60) == 1


def chat(lines, words, monkeypatch) -> int:
    """Runs --chat with `lines` typed into it."""
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    return generate.main(["--chat", *words])


def test_chat_answers_line_by_line_and_obeys_commands(
    picture, clip, tmp_path, capsys, monkeypatch
):
    saved = tmp_path / "talk.json"
    lines = [
        f"/image '{picture}'",
        "Describe the picture.",
        "/thinking off",
        "How many shapes are there?",
        "/thinking perhaps",
        "/image missing.png",
        "/smell",
        f"/save {saved}",
        f"/save {tmp_path}/no/such/talk.md",
        "/reset",
        f"/video {clip}",
        "",
        "/help",
        "/quit",
        "never asked",
    ]
    assert chat(lines, ["--stats"], monkeypatch) == 0
    said = capsys.readouterr()
    assert len(said.out.strip().splitlines()) == 3
    talk = json.loads(saved.read_text())
    assert [row["role"] for row in talk] == ["user", "assistant"] * 2
    assert talk[0]["content"][0] == {"type": "image", "source": picture}
    for told in (
        "thinking is off",
        "/thinking on or /thinking off",
        "no file missing.png",
        "there is no /smell",
        f"saved {saved}",
        "cannot be written",
        "forgotten",
        "of video",
        "/reset ",
    ):
        assert told in said.err


def test_chat_goes_on_after_an_error(picture, tmp_path, capsys, monkeypatch):
    torn = tmp_path / "torn.png"
    torn.write_bytes(b"\x89PNG")
    lines = [f"/image {torn}", "What is it?", f"/image {picture}", "Describe it."]
    assert chat(lines, ["--no-thinking"], monkeypatch) == 0
    said = capsys.readouterr()
    assert "torn.png" in said.err
    assert said.out.strip()


def test_chat_goes_on_when_the_boxes_cannot_be_saved(demo, capsys, monkeypatch):
    told = []

    def refuse(reply):
        told.append(reply)
        raise MediaError("out.png cannot be written")

    monkeypatch.setattr("sys.stdin", io.StringIO("Hello.\nHello again."))
    session = ChatSession(*demo, options=ChatOptions(max_tokens=4))
    Conversation(session, Terminal(), parse(["--chat"]), on_reply=refuse).run()
    assert len(told) == 2
    assert capsys.readouterr().err.count("error: out.png cannot be written") == 2


# Experts in their files.


def test_experts_are_streamed_and_told_of(picture, tmp_path, capsys):
    words = ["Describe the picture.", "--image", picture, "--no-thinking"]
    assert generate.main(words) == 0
    resident = capsys.readouterr().out
    profile = tmp_path / "profile.json"
    words += ["--expert-memory", "2.5MB", "--expert-profile", str(profile), "--stats"]
    assert generate.main(words) == 0
    said = capsys.readouterr()
    assert said.out == resident
    assert "% of the experts are in memory" in said.err
    assert "of those chosen for the answer were there" in said.err
    assert json.loads(profile.read_text())["chosen"]
    assert generate.main(words) == 0
    assert capsys.readouterr().out == resident


def test_too_little_for_experts_is_refused_with_what_it_takes(picture, capsys):
    words = ["Describe the picture.", "--image", picture, "--expert-memory", "100kB"]
    assert generate.main(words) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "0.1 MB for experts are too little" in said.err


def test_no_size(capsys):
    with pytest.raises(SystemExit) as ended:
        generate.main(["Describe it.", "--expert-memory", "banana"])
    assert ended.value.code == 2
    assert "write it like 12GB" in capsys.readouterr().err


def test_a_profile_that_cannot_be_written_costs_no_answer(picture, tmp_path, capsys):
    words = ["Describe the picture.", "--image", picture, "--expert-memory", "2.5MB"]
    model, _ = load("demo", expert_memory="2.5MB")
    arguments = parse([*words, "--expert-profile", str(tmp_path)])
    terminal = Terminal()
    with experts_noted(model, arguments, terminal):
        pass
    assert "the profile of experts was not written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("absent/profile.json", "folder does not exist"),
        ("", "cannot be read as a profile"),
    ],
)
def test_a_profiles_name_is_checked_before_anything_is_read(
    picture, tmp_path, capsys, name, problem
):
    words = ["Describe the picture.", "--image", picture, "--expert-memory", "2.5MB"]
    assert generate.main([*words, "--expert-profile", str(tmp_path / name)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert problem in said.err


def test_a_profile_where_everything_fits(picture, tmp_path, capsys):
    words = ["Describe the picture.", "--image", picture]
    profile = tmp_path / "profile.json"
    assert generate.main([*words, "--expert-profile", str(profile)]) == 0
    assert "no profile of them is written" in capsys.readouterr().err
    assert not profile.exists()


def test_a_batchs_tokens_are_in_the_profile_too(picture, tmp_path, capsys):
    lines = tmp_path / "lines.jsonl"
    asked = {"prompt": "Describe the picture.", "images": [picture]}
    lines.write_text(f"{json.dumps(asked)}\n" * 3)
    profile = tmp_path / "profile.json"
    words = ["--batch", str(lines), "--expert-memory", "2.5MB", "--no-thinking"]
    words += ["--batch-size", "3", "--expert-profile", str(profile)]
    assert generate.main(words) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["usage"]["answer_experts"] for row in rows} == {None}
    # Three layers choose two experts a token.
    tokens = sum(row["usage"]["generated_tokens"] for row in rows)
    chosen = sum(map(sum, json.loads(profile.read_text())["chosen"]))
    assert abs(chosen - 6 * tokens) <= 6 * 3
