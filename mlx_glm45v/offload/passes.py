"""Which experts are computed together when more are needed than there are slots.

Arithmetic on counts; no arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence


def plan_pass(
    waiting: Sequence[int],
    *,
    present: Container[int],
    before: Collection[int],
    slots: int,
) -> tuple[list[int], bool]:
    """The experts of the next pass, and whether the pass before has to end first.

    Those in memory go first, together. Then come as many of the others as find slots
    that the pass before, of the experts `before`, does not read; where that would be
    less than a quarter of the slots it is waited for, and they take half of them.
    """
    here = [expert for expert in waiting if expert in present]
    if here:
        return here, False
    beside = slots - len(before)
    if beside < max(1, slots // 4):
        return list(waiting[: max(1, slots // 2)]), True
    return list(waiting[:beside]), False
