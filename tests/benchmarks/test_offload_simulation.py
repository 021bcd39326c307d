"""The simulator's arithmetic, where the answer is known beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.offload_macs import (
    Case,
    budget_of,
    bytes_per_token,
    seconds_per_token,
    split_by,
)
from benchmarks.offload_replay import profile_of, replay
from benchmarks.offload_routings import (
    STRONG,
    UNEVEN,
    UNIFORM,
    Routing,
    Skew,
    kept_from_before,
    make_guess,
    make_routing,
    record_demo,
    right_guesses,
)

LAYERS, EXPERTS, CHOSEN = 3, 128, 8


def routing_of(skew: Skew, tokens: int = 400, *, seed: int = 0) -> Routing:
    return make_routing(
        skew, tokens=tokens, layers=LAYERS, experts=EXPERTS, chosen=CHOSEN, seed=seed
    )


def hit_rate(routing: Routing, slots: int) -> float:
    given = {"experts": EXPERTS, "slots": [slots] * LAYERS, "warm_up": 100}
    return replay(routing, **given).hit_rate


@pytest.mark.parametrize("skew", [UNIFORM, STRONG])
def test_a_token_never_chooses_an_expert_twice(skew: Skew) -> None:
    chosen = np.sort(routing_of(skew, 20), axis=-1)
    assert (np.diff(chosen) > 0).all()
    assert chosen.min() >= 0
    assert chosen.max() < EXPERTS


@pytest.mark.parametrize("slots", [16, 64, 100])
def test_dice_hit_as_often_as_experts_are_in_memory(slots: int) -> None:
    assert hit_rate(routing_of(UNIFORM), slots) == pytest.approx(
        slots / EXPERTS, abs=0.02
    )


@pytest.mark.parametrize("skew", [UNIFORM, STRONG])
def test_a_slot_for_each_expert_never_misses(skew: Skew) -> None:
    assert hit_rate(routing_of(skew), EXPERTS) == 1


def test_more_slots_never_hit_less() -> None:
    routing = routing_of(STRONG)
    rates = [hit_rate(routing, slots) for slots in range(8, EXPERTS + 1, 24)]
    assert rates == sorted(rates)


def test_skewed_routing_hits_more_than_dice() -> None:
    assert hit_rate(routing_of(STRONG), 40) > hit_rate(routing_of(UNIFORM), 40) + 0.3


def test_reuse_is_what_was_asked_for() -> None:
    kept = kept_from_before(routing_of(Skew("", (0, 0), 0.5)))
    by_chance = CHOSEN / EXPERTS
    assert kept == pytest.approx(0.5 + 0.5 * by_chance, abs=0.02)


def test_the_replay_agrees_with_the_profiles_depths() -> None:
    routing = routing_of(STRONG)
    profile = profile_of(routing, experts=EXPERTS)
    slots = 30
    result = replay(routing, experts=EXPERTS, slots=[slots] * LAYERS, warm_up=0)
    for layer in range(LAYERS):
        hits = routing.shape[0] * CHOSEN - result.missed[:, layer].sum()
        known = sum(profile.depths[layer][:slots])
        assert hits == pytest.approx(known, rel=0.02)


def test_perfect_guesses_leave_nothing_to_miss_and_waste_nothing() -> None:
    routing = routing_of(UNIFORM)
    guess = make_guess(routing, experts=EXPERTS, recall=1.0, seed=0)
    result = replay(
        routing, experts=EXPERTS, slots=[32] * LAYERS, warm_up=50, guess=guess
    )
    assert result.missed[:, 1:].sum() == 0
    assert result.wasted.sum() == 0
    assert result.ahead[:, 0].sum() == 0


def test_wrong_guesses_are_read_for_nothing() -> None:
    routing = routing_of(UNIFORM)
    guess = make_guess(routing, experts=EXPERTS, recall=0.0, seed=0)
    assert right_guesses(guess, routing) == 0
    result = replay(
        routing, experts=EXPERTS, slots=[32] * LAYERS, warm_up=50, guess=guess
    )
    assert (result.wasted == result.ahead).all()


@pytest.mark.parametrize("recall", [0.3, 0.8])
def test_guesses_are_as_good_as_was_asked_for(recall: float) -> None:
    routing = routing_of(STRONG)
    guess = make_guess(routing, experts=EXPERTS, recall=recall, seed=0)
    assert right_guesses(guess, routing) == pytest.approx(recall, abs=0.03)


def test_the_demo_is_recorded_with_what_it_would_have_guessed() -> None:
    recorded = record_demo(questions=1, seed=0)
    tokens, layers, chosen = recorded.routing.shape
    assert (layers, chosen, recorded.experts) == (3, 2, 8)
    assert tokens > 10
    assert (recorded.guess[:, 0] == -1).all()
    assert recorded.guess[:, 1:].min() >= 0
    assert right_guesses(recorded.guess, recorded.routing) > chosen / recorded.experts


@pytest.mark.parametrize(
    ("bits", "nbytes"), [(2, 5_406_720), (3, 7_569_408), (4, 9_732_096)]
)
def test_an_expert_is_as_large_as_its_shapes_say(bits: int, nbytes: int) -> None:
    assert budget_of(Case(32, bits)).expert_bytes == nbytes


def test_what_stays_in_memory_fits_a_macs_share() -> None:
    budget = budget_of(Case(32, 2))
    assert budget.trunk + budget.plan.nbytes < 32 * 2**30 * 2 / 3
    assert set(budget_of(Case(64, 2)).plan.slots) == {EXPERTS}


def test_a_split_takes_no_more_than_the_same_bytes() -> None:
    case = Case(32, 2)
    layers = len(budget_of(case).plan.slots)
    routing = make_routing(
        UNEVEN, tokens=60, layers=layers, experts=EXPERTS, chosen=CHOSEN, seed=0
    )
    depths = profile_of(routing, experts=EXPERTS).depths
    slots = split_by(case, depths)
    assert sum(slots) * budget_of(case).expert_bytes <= budget_of(case).nbytes
    assert len(set(slots)) > 2


def test_time_is_memory_and_reading_and_guesses_hide_behind_memory() -> None:
    budget = budget_of(Case(32, 2))
    layers = len(budget.plan.slots)
    shape = (1, layers)
    none = np.zeros(shape, np.int32)
    hit = replay(
        np.zeros((1, layers, 1), np.int32),
        experts=1,
        slots=[1] * layers,
        warm_up=0,
    )
    memory = budget.token_bytes / 100e9
    given = {"ssd": 5.0, "memory": 100.0}
    assert seconds_per_token(hit, budget, **given) == pytest.approx(memory)
    missed = replace(hit, missed=none + 2)
    reading = 2 * layers * budget.expert_bytes / 5e9
    assert bytes_per_token(missed, budget) == 2 * layers * budget.expert_bytes
    assert seconds_per_token(missed, budget, **given) == pytest.approx(memory + reading)
    guessed = replace(hit, ahead=none + 2)
    assert seconds_per_token(guessed, budget, **given) == pytest.approx(
        max(memory, reading)
    )
