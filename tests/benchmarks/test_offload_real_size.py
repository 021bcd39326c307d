"""The benchmark of streamed experts, on a slice an eighth as wide."""

from __future__ import annotations

import mlx.core as mx
import pytest

from benchmarks.offload_case import Ours, without_matmul, without_product
from benchmarks.offload_real_size import Case, Slice, condense, make_slice, summary


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Slice:
    return make_slice(tmp_path_factory.mktemp("slice") / "slice", 2, scale=8)


def test_the_slice_has_as_many_layers_with_experts_as_asked_for(made: Slice) -> None:
    text = made.config.text_config
    assert len(made.sizes.experts) == 2
    # Per number 4 bits, and per group of 64 a scale and a bias in float32.
    numbers = 3 * text.hidden_size * text.moe_intermediate_size
    assert made.sizes.experts[0] == text.n_routed_experts * numbers * 5 // 8


@pytest.mark.parametrize(("share", "slots"), [("half", 8), ("all but one", 15)])
def test_a_share_of_the_experts_is_what_is_held(
    made: Slice, share: str, slots: int
) -> None:
    each = made.sizes.experts[0] // made.config.text_config.n_routed_experts
    assert made.budget(share) == 2 * slots * each
    smaller = made.plan(share, tokens=8, prefill=4)
    whole = made.plan(None, tokens=8, prefill=4)
    assert whole - smaller == 2 * (16 - slots) * each


def test_streamed_and_resident_say_the_same(made: Slice) -> None:
    logits = []
    for budget in (None, made.budget("half")):
        runtime = Ours(made.folder, budget)
        runtime.begin()
        logits += [runtime.logits([3, 1, 4, 1, 5])]
        mx.eval(logits)
    assert runtime.counters()["bytes"] > 0
    assert (logits[0] == logits[1]).all()


def test_the_slices_tokens_choose_many_experts(made: Slice) -> None:
    runtime = Ours(made.folder, made.budget("half"))
    runtime.begin()
    for token in range(1, 30):
        mx.eval(runtime.logits([token]))
    counted = runtime.counters()
    assert 0.2 < counted["missed"] / counted["chosen"] < 0.8


@pytest.mark.parametrize("with_rows", [False, True])
def test_what_stands_for_a_product_has_its_shape(with_rows: bool) -> None:
    packed, scales, biases = mx.quantize(mx.random.normal((6, 32, 64)))
    experts = mx.array([5, 0, 2], mx.uint32)
    given = {"rhs_indices": experts, "transpose": True, "group_size": 64, "bits": 4}
    rows = 2 if with_rows else 3
    if with_rows:
        given["lhs_indices"] = mx.array([0, 0, 1], mx.uint32)
    x = mx.random.normal((rows, 1, 64))
    real = mx.gather_qmm(x, packed, scales, biases, **given)
    stub = without_product(x, packed, scales, biases, **given)
    assert (stub.shape, stub.dtype) == (real.shape, real.dtype)
    assert not stub.any()
    real = mx.quantized_matmul(x, packed[0], scales[0], biases[0])
    assert without_matmul(x, packed[0], scales[0], biases[0]).shape == real.shape


def step(cpu: float, *, missed: int = 0, rchar: int = 0) -> dict[str, float]:
    return {
        "seconds": 2 * cpu,
        "cpu": cpu,
        "rchar": rchar,
        "chosen": 16,
        "missed": missed,
    }


def run(cpu: float, *, missed: int) -> dict[str, object]:
    return {
        "load": {"seconds": 1.0},
        "prefill": step(1.0, missed=16, rchar=16 * 1_000),
        "decode": [step(9.0), step(cpu, missed=missed, rchar=missed * 1_000)],
        "hits": [step(9.0), step(1.0)],
        "above_imports": 10**9,
    }


def test_a_row_is_of_the_second_half_of_tokens_and_of_the_best_round(
    made: Slice,
) -> None:
    runs = [run(3.0, missed=4), run(2.0, missed=4)]
    row = condense(Case("ours", "half"), runs, made, 8, 4)
    assert (row["cpu"], row["seconds"], row["cpu_hits"]) == (2.0, 4.0, 1.0)
    assert row["hit_rate"] == 0.75
    assert row["read_per_token"] == 4_000


def test_goals_compare_with_the_peer_and_with_the_resident_model(made: Slice) -> None:
    seconds = {("ours", None): 1.0, ("mlx-vlm", None): 1.0, ("ours", "half"): 2.0}
    seconds |= {("ours", "all but one"): 1.0, ("mlx-vlm", "half"): 5.0}
    rows = [
        condense(Case(*case), [run(cpu, missed=8)], made, 8, 4)
        for case, cpu in seconds.items()
    ]
    found = summary([row for row in rows if row["share"] != "a quarter"], layers=2)
    assert found["overhead_without_misses"] == 0
    assert found["half"]["time_of_peers"] == pytest.approx(0.4)
    assert found["half"]["extra_per_layer"] == pytest.approx(0.5)
    assert found["half"]["peers_extra_per_layer"] == pytest.approx(2.0)
