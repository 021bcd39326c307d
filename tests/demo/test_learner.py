"""The trainer: batches follow from the step, resumed runs equal uninterrupted ones."""

import json

import pytest
from tokenizers import Tokenizer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

WORDS = 5000  # a step at which words are learned too


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def packer(demo_folder):
    from demo_training.packing import Packer

    return Packer(Tokenizer.from_file(str(demo_folder / "tokenizer.json")))


@pytest.fixture
def config(demo_folder):
    return tiny_config(demo_folder)


def tiny_config(demo_folder):
    config = json.loads((demo_folder / "config.json").read_text())
    del config["architectures"]
    config["text_config"] |= {
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "intermediate_size": 64,
        "moe_intermediate_size": 64,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "n_routed_experts": 4,
    }
    config["vision_config"] |= {
        "depth": 1,
        "hidden_size": 64,
        "num_heads": 1,
        "out_hidden_size": 64,
        "intermediate_size": 64,
    }
    return transformers.Glm4vMoeConfig.from_dict(config)


def learner_of(config, *, step: int = 0, tokenizer: str = "the packaged one"):
    from demo_training.learner import Learner
    from demo_training.schedule import Schedule

    schedule = Schedule(20_000, warmup=2)
    learner = Learner(config, schedule=schedule, seed=0, tokenizer=tokenizer)
    learner.step = step
    return learner


def batch_of(packer, step: int, *, worker: int = 0):
    from demo_training.course import course_batch

    return course_batch(packer, seed=0, step=step, pad_id=0, worker=worker)


@pytest.mark.parametrize("step", [0, WORDS, WORDS + 1])
def test_a_batch_follows_from_its_step_and_worker(packer, step):
    first, second = batch_of(packer, step), batch_of(packer, step)
    assert torch.equal(first.ids, second.ids)
    assert torch.equal(first.pixel_values, second.pixel_values)
    other = batch_of(packer, step, worker=1)
    assert other.ids.shape != first.ids.shape or not torch.equal(other.ids, first.ids)


def test_no_training_figure_is_ever_of_a_held_out_combination():
    from random import Random

    from demo_training.lessons import FORMATS, Frame

    from mlx_glm45v.demo.clips import Clip
    from mlx_glm45v.demo.combinations import is_figure_held_out
    from mlx_glm45v.demo.pages import Page

    for name, draw in FORMATS.items():
        for seed in range(20):
            random = Random(f"{name}:{seed}")
            for one in draw(random, Frame.chosen(random), held_out=False):
                if isinstance(one, Page):
                    continue
                scenes = [getattr(one, "scene", one)]
                if isinstance(one, Clip):  # at the times of all frames that are shown
                    scenes = [one.scene_at(half / 2) for half in range(9)]
                for scene in scenes:
                    assert not any(is_figure_held_out(scene, f) for f in scene.figures)


@pytest.mark.parametrize("start", [0, WORDS])
def test_a_resumed_run_equals_an_uninterrupted_one(packer, config, tmp_path, start):
    whole = learner_of(config, step=start)
    losses = [whole.take_step(batch_of(packer, start + step)) for step in range(3)]
    stopped = learner_of(config, step=start)
    stopped.take_step(batch_of(packer, start))
    stopped.save(tmp_path / "state.pt")
    resumed = learner_of(config)
    resumed.resume(tmp_path / "state.pt")
    assert resumed.step == start + 1
    again = [resumed.take_step(batch_of(packer, start + step)) for step in (1, 2)]
    assert again == losses[1:]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
        assert torch.equal(whole.average[name], resumed.average[name]), name


def test_a_run_goes_on_with_its_own_tokenizer_only(config, tmp_path):
    from demo_training.tokens import OtherTokenizerError

    state = tmp_path / "state.pt"
    learner_of(config, step=7, tokenizer="one").save(state)
    other = learner_of(config, tokenizer="another")
    with pytest.raises(
        OtherTokenizerError, match=r"state\.pt was learned with another"
    ):
        other.resume(state)
    assert other.step == 0


def test_a_state_that_names_no_tokenizer_is_taken(config, tmp_path):
    state = tmp_path / "state.pt"
    learner_of(config, step=7).save(state)
    saved = torch.load(state, weights_only=True)
    del saved["tokenizer"]
    torch.save(saved, state)
    learner = learner_of(config)
    learner.resume(state)
    assert learner.step == 7


def test_a_few_steps_lower_the_loss(packer, config):
    learner = learner_of(config, step=WORDS)
    batch = batch_of(packer, WORDS)
    losses = [learner.take_step(batch) for _ in range(8)]
    assert losses[-1].words < losses[0].words - 1
    assert losses[-1].naming < losses[0].naming


def test_the_hint_to_point_is_learned(packer, config):
    learner = learner_of(config, step=WORDS)
    batch = batch_of(packer, WORDS)
    losses = []
    for _ in range(8):
        learner.take_step(batch)
        losses.append(learner.pointing.loss(batch).item())
    assert len(batch.names)
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("step", [WORDS, WORDS + 2, WORDS + 5])
def test_the_cheap_arrangement_computes_what_transformers_does(
    packer, config, demo_folder, step
):
    learner = learner_of(config)
    plain = transformers.Glm4vMoeForConditionalGeneration._from_config(
        tiny_config(demo_folder), dtype=torch.float32, attn_implementation="sdpa"
    )
    plain.load_state_dict(learner.model.state_dict())
    batch = batch_of(packer, step)
    ours = learner.hidden(batch)
    theirs = plain.model(
        input_ids=batch.ids,
        attention_mask=batch.mask(),
        pixel_values=batch.pixel_values,
        image_grid_thw=batch.grid_thw,
        position_ids=batch.positions,
        use_cache=False,
    ).last_hidden_state
    there = batch.branches >= 0
    assert torch.allclose(ours[there], theirs[there], atol=1e-4)
    gradients = [
        torch.autograd.grad(
            hidden[there].pow(2).mean(), model.model.visual.patch_embed.proj.weight
        )[0]
        for hidden, model in ((ours, learner.model), (theirs, plain))
    ]
    assert torch.allclose(*gradients, rtol=1e-3, atol=1e-5)


def test_conversations_of_a_row_do_not_see_one_another(packer, config):
    learner = learner_of(config)
    batch = batch_of(packer, WORDS)
    with torch.no_grad():
        before = learner.hidden(batch)
        learner.hints.forget()
        first = batch.branches == 1
        batch.ids[first] = batch.ids[first].flip(0)
        after = learner.hidden(batch)
    changed = (before - after).abs().amax(-1) > 1e-5
    assert changed[first].any()
    assert not changed[~first & (batch.branches >= 0)].any()


def test_an_export_has_one_tensor_per_expert_and_loads_in_transformers(
    packer, config, tmp_path
):
    from demo_training.export import export_folder

    learner = learner_of(config, step=WORDS)
    learner.take_step(batch_of(packer, WORDS))
    config.save_pretrained(tmp_path)
    export_folder(learner.model.state_dict(), tmp_path)
    loaded, report = transformers.Glm4vMoeForConditionalGeneration.from_pretrained(
        tmp_path, dtype=torch.float32, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    for name, value in learner.model.state_dict().items():
        rounded = value if name.endswith("correction_bias") else value.bfloat16()
        assert torch.equal(loaded.state_dict()[name], rounded.float()), name


@pytest.mark.parametrize("kind", ["greeting", "third turn", "shape in a later picture"])
def test_each_conversation_has_a_share_of_right_tokens(packer, config, kind):
    from train_demo import watched

    learner = learner_of(config)
    (batch,) = watched(packer, 0, kinds=[kind], count=2)[kind]
    shares = learner.right(batch)
    assert len(shares) == 2
    assert all(0 <= share <= 1 for share in shares)
