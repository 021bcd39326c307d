"""Who leaves a bank when another comes."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_glm45v.offload.profile import ExpertProfile
from mlx_glm45v.offload.slots import EMPTY, SlotTable

EXPERTS = 10
TOKENS = st.lists(
    st.sets(st.integers(0, EXPERTS - 1), min_size=2, max_size=2).map(sorted),
    max_size=40,
)


def use(table: SlotTable, experts: list[int]) -> int:
    """As a bank does it; returns how many had to be read."""
    missing = [expert for expert in experts if expert not in table]
    slots = table.reserve(len(missing), keep=experts)
    for expert, slot in zip(missing, slots, strict=True):
        table.fill(expert, slot)
    table.touch(experts)
    return len(missing)


@given(tokens=TOKENS, slots=st.integers(2, EXPERTS))
def test_the_least_recently_used_leaves(tokens: list[list[int]], slots: int):
    table, recent = SlotTable(EXPERTS, slots), OrderedDict[int, None]()
    for experts in tokens:
        use(table, experts)
        for expert in experts:
            recent.pop(expert, None)
            recent[expert] = None
        while len(recent) > slots:
            recent.popitem(last=False)
        assert {e for e in range(EXPERTS) if e in table} == set(recent)
        held = [slot for slot in table.slot_of if slot != EMPTY]
        assert len(held) == len(set(held)) == len(table)


@given(tokens=TOKENS, slots=st.integers(2, EXPERTS))
def test_a_profile_foretells_the_reads_of_any_size(tokens: list[list[int]], slots: int):
    table, profile = SlotTable(EXPERTS, slots), ExpertProfile(1, EXPERTS)
    read = 0
    for experts in tokens:
        read += use(table, experts)
        profile.add(0, experts)
    kept = sum(profile.depths[0][:slots])
    assert read == 2 * len(tokens) - kept


def test_hot_experts_leave_last():
    table = SlotTable(6, 3, hot=[0])
    for expert in (0, 1, 2, 3, 4):
        use(table, [expert])
    assert [e for e in range(6) if e in table] == [0, 3, 4]
    use(table, [1, 2, 5])
    assert 0 not in table


def test_reserved_slots_belong_to_nobody_until_filled_or_recovered():
    table = SlotTable(6, 2)
    use(table, [0, 1])
    (slot,) = table.reserve(1, keep=[1])
    assert 0 not in table
    assert table.reserve(2, keep=[1]) == []
    table.recover()
    assert table.reserve(1, keep=[1]) == [slot]


@pytest.mark.parametrize("slots", [0, 7])
def test_a_size_that_cannot_be(slots: int):
    with pytest.raises(ValueError, match="1 to 6 fit"):
        SlotTable(6, slots)
