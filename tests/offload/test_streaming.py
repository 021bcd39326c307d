"""Streamed experts compute what resident ones do, to the bit."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.loading import load_model
from mlx_glm45v.memory import plan_experts
from mlx_glm45v.memory.weights import weight_sizes_of_files
from mlx_glm45v.offload.layer import StreamedExperts
from tests.checkpoint_forms import (
    FORMS,
    config_with,
    logits_of,
    random_weights,
    write_folder,
)
from tests.offload.small import (
    CHOSEN,
    CONFIG,
    EXPERTS,
    LAYERS,
    load_with,
    write_quantised,
)

FOUR_BITS = {"bits": 4, "group_size": 64}
SCHEMES: dict[str, Any] = {
    **{f"{b} bits": {"bits": b, "group_size": 64} for b in (2, 3, 4, 5, 6, 8)},
    "group 32": {"bits": 4, "group_size": 32},
    "mxfp4": {"bits": 4, "group_size": 32, "mode": "mxfp4"},
    "mxfp8": {"bits": 8, "group_size": 32, "mode": "mxfp8"},
    "nvfp4": {"bits": 4, "group_size": 16, "mode": "nvfp4"},
}
SIZES = st.integers(CHOSEN, EXPERTS - 1)
# One token, a few that fit the slots together, many that do not.
PROMPTS = st.lists(
    st.lists(st.integers(1, 180), min_size=1, max_size=40).map(
        lambda ids: ids[:1] if len(ids) % 3 == 0 else ids
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_quantised(tmp_path_factory.mktemp("experts"), FOUR_BITS)


@pytest.fixture(scope="module")
def resident(folder: Path) -> Any:
    return load_model(folder)


def banks_of(model: Any) -> list[Any]:
    layers = [layer.mlp for layer in model.language_model.model.layers]
    modules = [layer["switch_mlp"] for layer in layers if "switch_mlp" in layer]
    return [module._bank for module in modules if isinstance(module, StreamedExperts)]


def logits(model: Any, ids: list[int]) -> np.ndarray:
    return np.array(model(mx.array([ids])).logits)


@settings(max_examples=20, deadline=None)
@given(prompts=PROMPTS, slots=SIZES)
def test_any_prompt_with_any_number_of_slots(
    folder: Path, resident: Any, prompts: list[list[int]], slots: int
):
    model = load_with(folder, slots)
    assert [bank.slots for bank in banks_of(model)] == [slots] * LAYERS
    for ids in prompts:
        np.testing.assert_array_equal(logits(model, ids), logits(resident, ids))
    np.testing.assert_array_equal(logits_of(model), logits_of(resident))


@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16], ids=["direct", "cast"])
@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_every_width_that_files_can_hold(
    tmp_path: Path, scheme: dict[str, Any], dtype: mx.Dtype
):
    path = write_quantised(tmp_path, scheme, dtype=dtype)
    model = load_with(path, CHOSEN + 3)
    np.testing.assert_array_equal(logits_of(model), logits_of(load_model(path)))


@pytest.mark.parametrize("slots", [8, 9, 64, 127])
def test_as_many_experts_as_the_real_model_has(tmp_path: Path, slots: int):
    config = config_with(
        text_config={
            "n_routed_experts": 128,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 32,
            "num_hidden_layers": 2,
        }
    )
    weights = random_weights(config)
    write_folder(tmp_path, config, weights, format="mlx")
    each = sum(
        array.nbytes // 128 for key, array in weights.items() if "switch_mlp" in key
    )
    resident = load_model(tmp_path)
    model = load_model(tmp_path, expert_memory=slots * each)
    assert [bank.slots for bank in banks_of(model)] == [slots]
    for ids in ([5], [6], [*range(1, 100)], [7]):
        np.testing.assert_array_equal(logits(model, ids), logits(resident, ids))


def test_widths_that_differ_within_a_layer(tmp_path: Path):
    path = write_quantised(
        tmp_path,
        FOUR_BITS,
        down_proj={"bits": 6, "group_size": 32},
        up_proj={"bits": 3, "group_size": 64},
    )
    model = load_with(path, 9)
    assert "gate_up_proj" not in banks_of(model)[0].experts
    np.testing.assert_array_equal(logits_of(model), logits_of(load_model(path)))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_layout_of_plain_weights(tmp_path: Path, form: Any):
    weights = random_weights(CONFIG)
    write_folder(tmp_path, CONFIG, form.stored(weights), format=form.format, shards=2)
    model = load_with(tmp_path, 10)
    np.testing.assert_array_equal(logits_of(model), logits_of(load_model(tmp_path)))


def test_where_an_arrays_memory_may_not_be_written(
    folder: Path, resident: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mlx_glm45v.offload.memory._writable", lambda _: None)
    model = load_with(folder, 12)
    for ids in ([5], [7, 3, 9], [*range(1, 60)]):
        np.testing.assert_array_equal(logits(model, ids), logits(resident, ids))


def test_layers_with_a_slot_for_every_expert_are_not_touched(folder: Path):
    model = load_with(folder, EXPERTS)
    assert not banks_of(model)
    assert model.expert_source is None


def test_a_profile_gives_slots_to_the_layer_that_needs_them(
    folder: Path, resident: Any, tmp_path: Path
):
    learning = load_with(folder, CHOSEN)
    for token in range(1, 60):
        logits(learning, [token])
    path = tmp_path / "profile.json"
    learning.expert_source.save_profile(path)
    model = load_with(folder, 16, expert_profile=path)
    slots = [bank.slots for bank in banks_of(model)]
    assert sum(slots) <= 16 * LAYERS
    assert all(bank.table.hot for bank in banks_of(model))
    for token in (5, 61, 77):
        np.testing.assert_array_equal(logits(model, [token]), logits(resident, [token]))


def test_no_expert_is_read_twice_within_a_chunk(folder: Path):
    model = load_with(folder, CHOSEN)
    ids = [*range(1, 181)]
    logits(model, ids)
    traffic = model.expert_source.traffic
    needed = traffic.chosen
    assert needed > 2 * CHOSEN * LAYERS
    assert traffic.read == needed
    each = sum(rows.nbytes for rows in banks_of(model)[0]._rows)
    assert traffic.bytes_read == needed * each


def test_what_is_in_memory_is_not_read_again(folder: Path):
    model = load_with(folder, EXPERTS - 1)
    logits(model, [5])
    before = model.expert_source.traffic
    logits(model, [5])
    since = model.expert_source.traffic - before
    assert (since.chosen, since.read, since.bytes_read) == (CHOSEN * LAYERS, 0, 0)
    assert since.hit_rate == 1.0


def test_results_that_nobody_evaluated_are_not_overwritten(folder: Path, resident: Any):
    """Two requests whose graphs are built in turn and evaluated at the end."""
    model = load_with(folder, CHOSEN)
    lazy = [model(mx.array([[token]])).logits for token in range(1, 30)]
    wanted = [resident(mx.array([[token]])).logits for token in range(1, 30)]
    for got, want in zip(lazy, wanted, strict=True):
        np.testing.assert_array_equal(np.array(got), np.array(want))


def test_requests_in_threads_one_after_the_other(folder: Path, resident: Any):
    model = load_with(folder, 11)
    found: dict[int, np.ndarray] = {}

    def ask(token: int) -> None:
        # What is abandoned here is still under way when the next thread begins.
        model(mx.array([[token + 1, token]]))
        found[token] = logits(model, [token, 3])

    for token in range(1, 12):
        thread = threading.Thread(target=ask, args=(token,))
        thread.start()
        thread.join()
    for token, got in found.items():
        np.testing.assert_array_equal(got, logits(resident, [token, 3]))


def test_plans_count_what_banks_take(folder: Path):
    from mlx_glm45v.checkpoints import read_checkpoint

    config = Glm4vMoeConfig.from_dict(CONFIG)
    sizes = weight_sizes_of_files(read_checkpoint(folder), config, float_bytes=4)
    plan = plan_experts(config.text_config, sizes, sum(sizes.experts) // 2)
    model = load_model(folder, expert_memory=sum(sizes.experts) // 2)
    held = sum(
        array.nbytes
        for bank in banks_of(model)
        for projection in bank.experts.children().values()
        for array in projection.parameters().values()
    )
    assert held == plan.nbytes
    assert model.expert_source.resident == plan.resident
