"""More experts than slots: every one once, none in a slot that is still read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlx_glm45v.offload.passes import plan_pass


@given(
    needed=st.sets(st.integers(0, 31), min_size=1),
    present=st.sets(st.integers(0, 31)),
    slots=st.integers(1, 32),
)
def test_passes_cover_everything_once(needed: set[int], present: set[int], slots: int):
    present = set(sorted(present)[:slots])
    waiting, before, seen = sorted(needed), [], []
    while waiting:
        now, wait_first = plan_pass(
            waiting, present=present, before=before, slots=slots
        )
        assert now
        new = [expert for expert in now if expert not in present]
        beside = [] if wait_first else before
        assert len(new) + len({*beside, *(set(now) - set(new))}) <= slots
        seen += now
        waiting = [expert for expert in waiting if expert not in now]
        present = {*beside, *now}
        before = now
    assert sorted(seen) == sorted(needed)
