"""The training's command: what it watches, and what it refuses."""

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from demo_training.tokens import TOKENIZER, OtherTokenizerError
from make_demo_files import make_files
from tokenizers import Tokenizer

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

TOOL = Path(__file__).parents[2] / "tools" / "train_demo.py"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one step, by one worker."""
    folder = tmp_path_factory.mktemp("run")
    make_files(folder / "checkpoint")
    train(folder, steps=1)
    return folder


def train(folder, *, steps):
    words = [sys.executable, TOOL, "--out", folder, "--steps", str(steps)]
    subprocess.run([*words, "--workers", "1"], check=True)


def options_of(run, **given):
    return Namespace(out=run, steps=2, fall=0.4, seed=0, **given)


def steps_of(run):
    lines = (run / "loss.csv").read_text().splitlines()[1:]
    return [int(line.split(",")[0]) for line in lines]


def test_a_run_goes_on_where_it_stood(run):
    from train_demo import learner_of

    assert steps_of(run) == [1]
    train(run, steps=2)
    assert steps_of(run) == [1, 2]
    assert learner_of(options_of(run)).step == 2


def test_an_export_is_written_beside_the_runs_tokenizer(run, demo_folder):
    from train_demo import export

    from mlx_glm45v import load

    export(options_of(run, export=run / "checkpoint"))
    model, _ = load(run / "checkpoint")
    assert model.config == load(demo_folder)[0].config


def test_an_export_beside_another_tokenizer_is_refused(run, tmp_path):
    from train_demo import export

    make_files(tmp_path, new_words=["a red circle"])
    with pytest.raises(OtherTokenizerError, match="another tokenizer than the run's"):
        export(options_of(run, export=tmp_path))
    assert not (tmp_path / "model.safetensors").exists()
    with pytest.raises(FileNotFoundError, match=TOKENIZER):
        export(options_of(run, export=tmp_path / "nowhere"))


def test_a_run_whose_tokenizer_was_replaced_does_not_go_on(run, tmp_path):
    from train_demo import learner_of

    (tmp_path / "state.pt").write_bytes((run / "state.pt").read_bytes())
    make_files(tmp_path / "checkpoint", new_words=["a red circle"])
    with pytest.raises(OtherTokenizerError, match="another tokenizer"):
        learner_of(options_of(tmp_path))


@pytest.fixture(scope="module")
def tokenizer(demo_folder):
    return Tokenizer.from_file(str(demo_folder / TOKENIZER))


@pytest.fixture(scope="module")
def packer(tokenizer):
    from demo_training.packing import Packer

    return Packer(tokenizer)


@pytest.mark.parametrize("kind", ["greeting", "third turn", "when"])
def test_held_out_questions_are_watched_with_what_they_show(packer, tokenizer, kind):
    from demo_training.lessons import held_out_question
    from train_demo import watched

    (batches,) = watched(packer, 0, kinds=[kind], count=10).values()
    assert [len(batch.ids) for batch in batches] == [8, 2]
    for index in range(10):
        row = batches[index // 8].ids[index % 8]
        question = held_out_question(kind, index)
        assert ((row == packer.image_id).any()) == bool(question.shown)
        said = tokenizer.decode(row.tolist(), skip_special_tokens=False)
        for turn in question.turns:
            assert f"{turn.question}/nothink<|assistant|>" in said


def test_a_later_picture_is_watched_behind_the_earlier_turn(packer, tokenizer):
    from demo_training.lessons import held_out_question
    from train_demo import watched

    kind = "shape in a later picture"
    (batch,) = watched(packer, 0, kinds=[kind], count=2)[kind]
    for index, row in enumerate(batch.ids):
        question = held_out_question(kind, index)
        said = tokenizer.decode(row.tolist(), skip_special_tokens=False)
        first, second, third = said.split("<|user|>")[1:4]
        assert question.earlier.question in first
        assert question.earlier.answer in first
        assert "<|image|>" in first
        assert "<|image|>" in second
        assert question.turns[0].question in second
        assert "<|image|>" not in third


def test_averaged_weights_are_watched_and_the_run_keeps_its_own(run, packer):
    from train_demo import learner_of, watch, watched

    learner = learner_of(options_of(run))
    batches = watched(packer, 0, kinds=["greeting", "when"], count=2)
    own = {name: value.clone() for name, value in learner.model.state_dict().items()}
    learner.average = {name: value * 0 for name, value in own.items()}
    shares = watch(learner, batches)
    assert set(shares) == {"greeting", "greeting (tokens)", "when", "when (tokens)"}
    assert shares["greeting"] == shares["when"] == 0  # of weights that are all zero
    for name, value in learner.model.state_dict().items():
        assert torch.equal(value, own[name]), name
