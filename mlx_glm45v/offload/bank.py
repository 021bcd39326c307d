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

    expert: int
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
        self._reads: list[_Read] = []

    @property
    def slots(self) -> int:
        return self.table.slots

    def bring(self, experts: Iterable[int], *, keep: Collection[int]) -> int:
        """Have all of `experts` in memory; how many had to be read.

        Those in `keep` stay as well. Raises ValueError when that is more than there are
        slots, `CheckpointError` when one cannot be read; the others are then there, and
        its slot is empty.
        """
        self._finish()  # what an interrupt left
        missing = [expert for expert in experts if expert not in self.table]
        slots = self.table.reserve(len(missing), keep={*keep, *experts})
        if len(slots) < len(missing):
            self.table.release(slots)
            raise ValueError(
                f"{len(missing)} experts beside {len(keep)} do not fit {self.slots} "
                "slots"
            )
        for expert, slot in zip(missing, slots, strict=True):
            future = self._executor.submit(self._read, expert, slot)
            self._reads.append(_Read(expert, slot, future))
        self._finish()
        return len(missing)

    def _read(self, expert: int, slot: int) -> Aside:
        return [rows.read(self._files, expert, slot) for rows in self._rows]

    def _finish(self) -> None:
        """Wait for reads; each expert is present, or its slot empty, whatever happens.

        Interrupted, threads may still write: their slots stay reserved until the next
        call. Raises the first error.
        """
        failed: BaseException | None = None
        try:
            wait([read.future for read in self._reads])
        finally:
            ended = [read for read in self._reads if read.future.done()]
            self._reads = [read for read in self._reads if not read.future.done()]
            for read in ended:
                failed = self._enter(read) or failed
        if failed is not None:
            raise failed

    def _enter(self, read: _Read) -> BaseException | None:
        try:
            asides = read.future.result()
            for rows, aside in zip(self._rows, asides, strict=True):
                rows.settle(aside, read.slot)
        except BaseException as error:
            self.table.release([read.slot])
            return error
        self.table.fill(read.expert, read.slot)
        return None
