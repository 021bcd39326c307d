"""Which expert of a layer lies in which slot, and which one makes room for another.

The least recently used expert leaves first; hot ones only when nothing else can. Pure
bookkeeping: knows no bytes, no files and no arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

EMPTY = -1


class SlotTable:
    """The slots of one layer. An expert is in it only once its weights are.

    `slot_of[expert]` is its slot or `EMPTY`.
    """

    def __init__(self, experts: int, slots: int, *, hot: Iterable[int] = ()) -> None:
        """Raises ValueError for more slots than experts, or none."""
        if not 1 <= slots <= experts:
            raise ValueError(f"{slots} slots for {experts} experts; 1 to {experts} fit")
        self.slots = slots
        self.slot_of = [EMPTY] * experts
        self.hot = frozenset(hot)
        self._free = list(range(slots))[::-1]
        self._by_use: dict[int, None] = {}  # least recently used first

    def __contains__(self, expert: int) -> bool:
        return self.slot_of[expert] != EMPTY

    def __len__(self) -> int:
        return len(self._by_use)

    def touch(self, experts: Iterable[int]) -> None:
        """Note that these, all of them present, are used now."""
        for expert in experts:
            del self._by_use[expert]
            self._by_use[expert] = None

    def reserve(self, count: int, *, keep: Collection[int]) -> list[int]:
        """Up to `count` slots to be written to; whoever lay there is gone.

        Slots of experts in `keep` are not given. What is reserved comes back by `fill`
        or by `recover`.
        """
        slots = [self._free.pop() for _ in range(min(count, len(self._free)))]
        short = count - len(slots)
        if short:
            leaving = [expert for expert in self._by_use if expert not in keep]
            leaving.sort(key=self.hot.__contains__)  # stable: still in order of use
            for expert in leaving[:short]:
                slots.append(self.slot_of[expert])
                self.slot_of[expert] = EMPTY
                del self._by_use[expert]
        return slots

    def fill(self, expert: int, slot: int) -> None:
        """The expert's weights are in the slot, as of now."""
        self.slot_of[expert] = slot
        self._by_use[expert] = None

    def recover(self) -> None:
        """Every slot that holds no expert is free, wherever an interrupt came."""
        held = [expert for expert, slot in enumerate(self.slot_of) if slot != EMPTY]
        before = [expert for expert in self._by_use if expert in held]
        self._by_use = dict.fromkeys([*before, *held])
        filled = {self.slot_of[expert] for expert in held}
        self._free = [slot for slot in range(self.slots) if slot not in filled]
