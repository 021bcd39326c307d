"""The experts of one layer that are in memory, and how others get there.

Knows slots, arrays and reads under way. Does not know who chooses experts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

from ..model.experts import Glm4vMoeTextExperts
from .files import OpenFiles
from .memory import SlotRows
from .slots import SlotTable

Aside = list[bytearray | None]


@dataclass(frozen=True)
class _Read:
    """An expert on its way into a slot that nothing else uses."""

    slot: int
    future: Future[Aside]


class Bank:
    """`experts` has a row for each slot; `table` says who lies where.

    Used by one thread at a time. Whoever brings experts sees to it that nothing which
    still has to be computed reads the slots of others.
    """

    def __init__(
        self,
        experts: Glm4vMoeTextExperts,
        table: SlotTable,
        rows: Sequence[SlotRows],
        *,
        files: OpenFiles,
        executor: Executor,
    ) -> None:
        self.experts = experts
        self.table = table
        self._rows = tuple(rows)
        self._files = files
        self._executor = executor
        self._coming: dict[int, _Read] = {}

    @property
    def slots(self) -> int:
        return self.table.slots

    def missing(self, experts: Iterable[int]) -> list[int]:
        """Those that are not in memory (they may be on their way), in order."""
        return [expert for expert in experts if expert not in self.table]

    def bring(self, experts: Sequence[int], *, keep: Collection[int]) -> None:
        """Read missing experts and wait for them. Experts in `keep` stay.

        Raises ValueError when they do not fit beside those kept, `CheckpointError` when
        one cannot be read; the others are then there, and its slot is empty.
        """
        new = [expert for expert in experts if expert not in self._coming]
        begun = self._start(new, keep={*keep, *experts})
        if begun < len(new):
            # Guesses have slots that are needed; once they are there, they can leave.
            self.settle()
            begun += self._start(new[begun:], keep={*keep, *experts})
        self._finish(experts)
        if begun < len(new):
            raise ValueError(
                f"{len(experts)} experts beside {len(keep)} do not fit {self.slots} "
                "slots"
            )

    def expect(self, experts: Collection[int]) -> int:
        """Start to read missing ones without waiting; how many were begun.

        No more than half of the slots wait for guesses at a time. Raises
        `CheckpointError` for an earlier guess that could not be read.
        """
        self._finish([e for e, read in self._coming.items() if read.future.done()])
        new = [expert for expert in experts if expert not in self._coming]
        room = self.slots // 2 - len(self._coming)
        return self._start(self.missing(new)[: max(0, room)], keep=experts)

    def settle(self) -> None:
        """Wait for whatever is on its way."""
        self._finish(list(self._coming))

    def _start(self, experts: Sequence[int], *, keep: Collection[int]) -> int:
        slots = self.table.reserve(len(experts), keep=keep)
        for expert, slot in zip(experts, slots, strict=False):
            future = self._executor.submit(self._read, expert, slot)
            self._coming[expert] = _Read(slot, future)
        return len(slots)

    def _read(self, expert: int, slot: int) -> Aside:
        return [rows.read(self._files, expert, slot) for rows in self._rows]

    def _finish(self, experts: Iterable[int]) -> None:
        """Wait for reads; each expert is present, or its slot empty, whatever happens.

        Raises the first error.
        """
        reads = {e: self._coming[e] for e in experts if e in self._coming}
        failed: BaseException | None = None
        try:
            wait(read.future for read in reads.values())
        finally:
            # Interrupted, threads may still write: their slots stay reserved.
            for expert, read in reads.items():
                if read.future.done():
                    del self._coming[expert]
                    failed = self._enter(expert, read) or failed
        if failed is not None:
            raise failed

    def _enter(self, expert: int, read: _Read) -> BaseException | None:
        try:
            asides = read.future.result()
            for rows, aside in zip(self._rows, asides, strict=True):
                rows.settle(aside, read.slot)
        except BaseException as error:
            self.table.release([read.slot])
            return error
        self.table.fill(expert, read.slot)
        return None
