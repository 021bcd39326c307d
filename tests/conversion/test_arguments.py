"""The converter's words: mlx-lm's meanings, and no contradictions."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mlx_glm45v.conversion.arguments import Wishes, parse
from mlx_glm45v.conversion.card import command_line
from mlx_glm45v.parameters.recipes import RECIPES, Recipe, floating, mixed, uniform

ROOT = Path(__file__).parents[2]


def command_of(wishes: Wishes, source: str, target: str) -> str:
    """The card's command for what was asked for."""
    return command_line(
        source,
        target,
        recipe=wishes.recipe,
        search=wishes.search,
        dequantize=wishes.dequantize,
        dtype=wishes.dtype,
        revision=wishes.revision,
    )


def wish(words: str):
    return parse(["--hf-path", "x", *words.split()])


@pytest.mark.parametrize(
    ("words", "recipe"),
    [
        ("", None),
        ("-q", uniform(4)),
        ("--quantize --q-bits 3", uniform(3)),
        ("-q --q-bits 8 --q-mode affine", uniform(8)),
        ("-q --q-group-size 32", uniform(4, group_size=32)),
        ("-q --q-mode mxfp4", floating("mxfp4")),
        ("-q --q-mode nvfp4 --q-bits 4 --q-group-size 16", floating("nvfp4")),
        ("-q --quant-predicate mixed_3_6", mixed(3, 6)),
        (
            "-q --quant-predicate mixed_2_6 --q-group-size 128",
            mixed(2, 6, group_size=128),
        ),
        ("--recipe mac-64gb", RECIPES["mac-64gb"]),
        ("-q --recipe mac-64gb", RECIPES["mac-64gb"]),
        ("--recipe 4bit --vision-bits 8", RECIPES["4bit"].with_vision(8)),
        ("-d", None),
    ],
)
def test_words_mean_a_recipe(words: str, recipe: Recipe | None):
    assert wish(words).recipe == recipe


def test_the_defaults_are_those_of_mlx_lm():
    wishes = wish("")
    assert wishes.target == "mlx_model"
    assert wishes.dtype is None
    assert wishes.revision is None
    assert not any((wishes.dequantize, wishes.search, wishes.overwrite))
    assert parse(["--model", "y"]).source == "y"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "--hf-path is missing"),
        ("-q", "--hf-path is missing"),
        ("--hf-path x -q -d", "-d writes plain floats and -q quantises"),
        ("--hf-path x -d --recipe 4bit", "--recipe quantises"),
        ("--hf-path x -d --q-bits 4", "--q-bits quantises"),
        ("--hf-path x -d --search", "--search quantises"),
        ("--hf-path x --recipe 4bit --q-bits 4", "--q-bits contradicts it"),
        ("--hf-path x --recipe 4bit --q-mode mxfp4", "--q-mode contradicts it"),
        ("--hf-path x --recipe 4bit --quant-predicate mixed_3_6", "contradicts it"),
        ("--hf-path x --q-bits 4", "--q-bits says how to quantise: add -q"),
        ("--hf-path x --search", "--search says how to quantise: add -q"),
        ("--hf-path x --vision-bits 8", "--vision-bits says how to quantise"),
        ("--hf-path x -q --q-mode mxfp4 --q-bits 8", "always has 4 bits"),
        ("--hf-path x -q --q-mode nvfp4 --q-group-size 64", "in groups of 16"),
        ("--hf-path x -q --q-group-size 16", "groups of 32, 64, 128"),
        ("--hf-path x -q --q-mode mxfp8 --search", "--search looks for scales"),
        ("--hf-path x --recipe mxfp4 --vision-bits 8", "mxfp4"),
        ("--hf-path x -q --quant-predicate mixed_3_6 --q-mode mxfp4", "is affine"),
        ("--hf-path x -q --quant-predicate mixed_3_6 --q-bits 3", "settles the bits"),
        ("--hf-path x --dry-run --verify", "--dry-run writes nothing"),
        ("--verify -q", "does not say what"),
        ("--verify --fetch-by-shard", "--fetch-by-shard says how to convert"),
        ("--hf-path x -q --q-bits 7", "--q-bits"),
        ("--hf-path x --recipe huge", "mac-64gb"),
        ("--hf-path x --dtype int8", "--dtype"),
        ("--hf-path x --smell", "--smell"),
    ],
)
def test_wrong_usage_is_status_2_and_says_what(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as exit_:
        parse(words.split())
    assert exit_.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_an_empty_target_is_wrong_usage(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parse(["--hf-path", "x", "--mlx-path", ""])
    assert "--mlx-path is empty" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["--list-recipes", "--verify"])
def test_lists_and_checks_need_no_source(words: str):
    assert parse([words]).source is None


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("-q", "--recipe 4bit"),
        ("--recipe 4bit --overwrite --verify --fetch-by-shard", "--recipe 4bit"),
        ("-q --quant-predicate mixed_3_6", "--recipe mixed_3_6"),
        ("-q --q-mode nvfp4", "--recipe nvfp4"),
        ("-q --q-group-size 32", "-q --q-bits 4 --q-group-size 32"),
        (
            "--recipe mac-64gb --search --vision-bits 8",
            "--recipe mac-64gb --vision-bits 8 --search",
        ),
        (
            "-q --quant-predicate mixed_3_6 --q-group-size 32 --vision-bits 8",
            "-q --quant-predicate mixed_3_6 --vision-bits 8 --q-group-size 32",
        ),
        (
            "-d --dtype float16 --revision v1",
            "--dequantize --dtype float16 --revision v1",
        ),
    ],
)
def test_the_command_on_the_card_is_one_for_each_output(words: str, command: str):
    made = command_of(wish(words), "a/b", "out")
    assert made == f"python convert.py --hf-path a/b --mlx-path out {command}"


@pytest.mark.parametrize(
    "words",
    [
        "-q",
        "-q --q-bits 6 --q-group-size 128",
        "--recipe mac-96gb --search --vision-bits 8",
        "-q --quant-predicate mixed_4_6 --q-group-size 32",
        "-q --q-mode mxfp8",
        "-d --dtype float32",
    ],
)
def test_the_command_on_the_card_asks_for_the_same(words: str):
    wishes = wish(words)
    again = parse(command_of(wishes, "x", "mlx_model").split()[2:])
    assert again.recipe == wishes.recipe
    assert command_of(again, "x", "y") == command_of(wishes, "x", "y")


def test_a_recipe_of_a_script_is_shown_as_its_value():
    recipe = replace(uniform(4), name="mine", table={**uniform(4).table, "head": 8})
    command = command_line("a/b", "out", recipe=recipe)
    assert command.startswith("mlx_glm45v.convert('a/b', 'out', recipe=Recipe(")


def test_help_answers_within_half_a_second():
    def run() -> float:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "convert.py", "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0
        assert "--fetch-by-shard" in done.stdout
        return time.perf_counter() - start

    assert min(run() for _ in range(3)) < 0.5


def test_help_imports_nothing_heavy():
    code = (
        "import sys; import mlx_glm45v.conversion.command; "
        "from mlx_glm45v.conversion.arguments import build_parser; "
        "build_parser().format_help(); "
        "print([m for m in ('mlx', 'numpy', 'PIL', 'tokenizers', 'huggingface_hub', "
        "'mlx_lm', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
