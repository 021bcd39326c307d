"""The trainer: batches follow from the step, resumed runs equal uninterrupted ones."""

import json

import pytest
from tokenizers import Tokenizer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def writer(demo_folder):
    from demo_training.samples import Writer

    return Writer(Tokenizer.from_file(str(demo_folder / "tokenizer.json")))


@pytest.fixture
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


def trainer_of(config, *, steps: int = 20):
    from demo_training.trainer import Schedule, Trainer

    return Trainer(config, schedule=Schedule(steps, warmup=2), seed=0)


def batch_of(writer, step: int, *, worker: int = 0, rows: int = 3):
    from demo_training.batches import make_batch

    return make_batch(writer, seed=0, step=step, pad_id=0, worker=worker, rows=rows)


@pytest.mark.parametrize("step", [0, 5, 900, 905])
def test_a_batch_follows_from_its_step_and_worker(writer, step):
    first, second = batch_of(writer, step), batch_of(writer, step)
    assert torch.equal(first.ids, second.ids)
    assert torch.equal(first.pixel_values, second.pixel_values)
    other = batch_of(writer, step, worker=1)
    assert other.ids.shape != first.ids.shape or not torch.equal(other.ids, first.ids)


def test_videos_come_after_the_first_steps(writer):
    from demo_training.batches import FIRST_CLIPS

    (begin,) = writer._encode("<|begin_of_video|>")

    def has_clips(step: int) -> bool:
        return bool((batch_of(writer, step).ids == begin).any())

    assert not any(has_clips(step) for step in range(0, FIRST_CLIPS, 50))
    later = [has_clips(step) for step in range(FIRST_CLIPS, FIRST_CLIPS + 40)]
    assert 2 < sum(later) < 25


def test_a_resumed_run_equals_an_uninterrupted_one(writer, tiny_config, tmp_path):
    whole = trainer_of(tiny_config)
    losses = [whole.take_step(batch_of(writer, step)) for step in range(4)]
    stopped = trainer_of(tiny_config)
    for step in range(2):
        stopped.take_step(batch_of(writer, step))
    stopped.save(tmp_path / "state.pt")
    resumed = trainer_of(tiny_config)
    resumed.resume(tmp_path / "state.pt")
    assert resumed.step == 2
    again = [resumed.take_step(batch_of(writer, step)) for step in (2, 3)]
    assert again == losses[2:]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
        assert torch.equal(whole.average[name], resumed.average[name]), name


def test_a_few_steps_lower_the_loss(writer, tiny_config):
    trainer = trainer_of(tiny_config)
    batch = batch_of(writer, 0)
    losses = [trainer.take_step(batch) for _ in range(8)]
    assert losses[-1].words < losses[0].words - 1
    assert losses[-1].naming < losses[0].naming


def test_pictures_side_by_side_are_attended_to_one_by_one(writer, tiny_config):
    trainer = trainer_of(tiny_config)
    batch = batch_of(writer, 1)
    with torch.no_grad():
        together = trainer.loss(batch)
        named = trainer.naming_loss(batch)
        tracked = trainer.tracking_loss(batch)
        assert tracked == 0  # pictures have no time texts
        trainer.model.model.visual.config._attn_implementation = "sdpa"
        apart = trainer.loss(batch)
        named_apart = trainer.naming_loss(batch)
    assert together.item() == pytest.approx(apart.item(), abs=1e-5)
    assert named.item() == pytest.approx(named_apart.item(), abs=1e-5)


def test_the_correction_bias_rises_for_experts_that_are_chosen_rarely(
    writer, tiny_config
):
    trainer = trainer_of(tiny_config)
    router = trainer.model.model.language_model.layers[1].mlp.gate
    router.weight.data[0] = 0  # its score is always one half
    router.e_score_correction_bias[0] = -2.0  # and so it is never chosen
    trainer.take_step(batch_of(writer, 0))
    assert router.e_score_correction_bias[0] > -2.0
    assert router.e_score_correction_bias.min() < 0


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 0.5e-3), (1, 1e-3), (50, 1e-3), (99, 1e-5)]
)
def test_the_rate_rises_stays_and_falls(step, rate):
    from demo_training.trainer import Schedule

    schedule = Schedule(100, peak=1e-3, warmup=2)
    assert schedule.rate(step) == pytest.approx(rate, rel=0.3)


def test_rounds_of_polish_fall_again():
    from demo_training.trainer import Schedule

    schedule = Schedule(100, warmup=2, polish=(10, 20), polish_peak=4e-4)
    assert schedule.end == 130
    assert [schedule.rate(step) for step in (100, 110)] == [4e-4, 4e-4]
    assert schedule.rate(109) < 4e-5
    assert schedule.rate(129) < 4e-5


def test_an_export_has_one_tensor_per_expert_and_loads_in_transformers(
    writer, tiny_config, tmp_path
):
    from demo_training.export import export_folder

    trainer = trainer_of(tiny_config)
    trainer.take_step(batch_of(writer, 0))
    tiny_config.save_pretrained(tmp_path)
    export_folder(trainer.model.state_dict(), tmp_path)
    loaded, report = transformers.Glm4vMoeForConditionalGeneration.from_pretrained(
        tmp_path, dtype=torch.float32, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    for name, value in trainer.model.state_dict().items():
        rounded = value if name.endswith("correction_bias") else value.bfloat16()
        assert torch.equal(loaded.state_dict()[name], rounded.float()), name
