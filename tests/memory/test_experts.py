"""How bytes become slots, and when experts are streamed at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.errors import NotEnoughMemory
from mlx_glm45v.memory import (
    WeightSizes,
    mac,
    parse_bytes,
    plan_experts,
    plan_loading,
    weight_sizes,
)
from tests.checkpoint_forms import config_with
from tests.memory.configs import affine, glm45v

TEXT = glm45v().text_config
FOUR_BITS = weight_sizes(glm45v(), affine(4))


def plan_on(memory_gb: int, bits: int, **options: int | bool):
    return plan_loading(
        glm45v(),
        weight_sizes(glm45v(), affine(bits)),
        float_bytes=2,
        name="GLM",
        machine=mac(memory_gb),
        **options,
    )


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("12GB", 12 * 10**9),
        ("900 mb", 900 * 10**6),
        ("1.5GiB", 3 * 2**29),
        ("2g", 2 * 10**9),
        ("4096", 4096),
        (4096, 4096),
    ],
)
def test_sizes_as_people_write_them(text: str | int, nbytes: int):
    assert parse_bytes(text) == nbytes


@pytest.mark.parametrize("text", ["", "much", "12 parsecs", "-3GB", "12iB", "1e9"])
def test_what_is_no_size(text: str):
    with pytest.raises(ValueError, match="write it like 12GB"):
        parse_bytes(text)


def test_glm45v_has_45_layers_of_equal_experts():
    assert len(FOUR_BITS.experts) == 45
    assert {size // 128 for size in FOUR_BITS.experts} == {9_732_096}
    assert FOUR_BITS.total == FOUR_BITS.trunk + sum(FOUR_BITS.experts)


@given(budget=st.integers(4 * 10**9, 70 * 10**9))
def test_a_plan_uses_its_budget_evenly(budget: int):
    plan = plan_experts(TEXT, FOUR_BITS, budget)
    assert plan.nbytes <= budget
    assert max(plan.slots) - min(plan.slots) <= 1
    full = min(plan.slots) == plan.experts
    assert full or budget - plan.nbytes < plan.expert_bytes[0]


def test_too_little_for_one_token_is_refused_with_the_least():
    with pytest.raises(
        NotEnoughMemory, match=r"8 of 128 in each of 45 layers.*3\.5 GB"
    ):
        plan_experts(TEXT, FOUR_BITS, 10**9)


def test_layers_that_look_far_back_get_more_slots():
    config = Glm4vMoeConfig.from_dict(config_with())
    sizes = WeightSizes(trunk=0, experts=(1200, 1200))
    near = [9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    far = [3] * 12
    plan = plan_experts(config.text_config, sizes, 1000, depths=[near, far])
    assert plan.slots == (2, 8)


def test_a_mac_that_has_room_holds_everything():
    assert plan_on(96, 4) is None


@pytest.mark.parametrize(("memory", "bits"), [(64, 4), (48, 3), (32, 2)])
def test_a_smaller_one_streams_what_does_not_fit(memory: int, bits: int):
    plan = plan_on(memory, bits)
    assert plan is not None
    assert 0.1 < plan.resident < 1
    sizes = weight_sizes(glm45v(), affine(bits))
    assert sizes.trunk + plan.nbytes < mac(memory).limit
    # As likely as any other, what is not there is read.
    assert plan.missed_bytes / plan.token_bytes == pytest.approx(
        1 - plan.resident, rel=1e-6
    )


def test_nobody_waits_for_seconds_unasked():
    """8 bits on 32 GB: 6 GB would be read for every token."""
    with pytest.raises(NotEnoughMemory, match=r"2bit conversion.*\d+% of its experts"):
        plan_on(24, 8)
    assert plan_on(32, 8, expert_memory=7 * 10**9).resident < 0.1


def test_speed_is_that_of_reading_and_of_memory():
    plan = plan_on(32, 2)
    used = plan.trunk_bytes + plan.token_bytes
    seconds = plan.missed_bytes / 5e9 + used / 273e9
    assert plan.tokens_per_second(5e9) == pytest.approx(1 / seconds)
    assert plan.tokens_per_second(2.5e9) < plan.tokens_per_second(7e9)


def test_where_not_even_one_token_fits_the_refusal_is_that_of_the_whole():
    with pytest.raises(NotEnoughMemory, match=r"4,096 tokens(.|\n)*2,691 tokens"):
        plan_on(16, 8)


def test_given_bytes_are_held_to_the_machine_unless_forced():
    assert plan_on(96, 4, expert_memory=20 * 10**9).resident < 0.4
    with pytest.raises(NotEnoughMemory, match=r"30\.0 GB of experts.*10\.7 GB do"):
        plan_on(32, 4, expert_memory=30 * 10**9)
    assert plan_on(32, 4, expert_memory=30 * 10**9, force=True) is not None
    assert plan_on(32, 4, force=True) is None


def test_the_piece_of_a_prompt_is_as_long_as_memory_allows():
    assert plan_on(64, 4).prefill_tokens == 4096
    assert plan_on(32, 2).prefill_tokens == 2048
    roomy = plan_on(512, 4, expert_memory=20 * 10**9)
    assert roomy.prefill_tokens == 8192
