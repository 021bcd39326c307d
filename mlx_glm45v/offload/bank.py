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
    """An expert on its way into a slot that nothing else uses.

    Its future is made before the work is handed on, so that an interrupt in between
    leaves something to cancel.
    """

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
        self._torn = False

    @property
    def slots(self) -> int:
        return self.table.slots

    def bring(self, experts: Iterable[int], *, keep: Collection[int]) -> int:
        """Have all of `experts` in memory; how many had to be read.

        Those in `keep` stay as well. Raises ValueError when that is more than there are
        slots, `CheckpointError` when one cannot be read. After that, or an interrupt,
        some are missing, and the next call goes on from there.
        """
        if self._torn:
            self._mend()
        missing = [expert for expert in experts if expert not in self.table]
        if not missing:
            return 0
        self._torn = True
        slots = self.table.reserve(len(missing), keep={*keep, *experts})
        if len(slots) < len(missing):
            raise ValueError(
                f"{len(missing)} experts beside {len(keep)} do not fit {self.slots} "
                "slots"
            )
        self._reads = [
            _Read(expert, slot, Future())
            for expert, slot in zip(missing, slots, strict=True)
        ]
        for read in self._reads:
            self._executor.submit(self._work, read)
        wait([read.future for read in self._reads])
        for read in self._reads:
            asides = read.future.result()
            for rows, aside in zip(self._rows, asides, strict=True):
                rows.settle(aside, read.slot)
            self.table.fill(read.expert, read.slot)
        self._torn = False
        return len(missing)

    def _work(self, read: _Read) -> None:
        """In a thread of the executor."""
        if not read.future.set_running_or_notify_cancel():
            return
        try:
            asides = [
                rows.read(self._files, read.expert, read.slot) for rows in self._rows
            ]
        except BaseException as error:
            read.future.set_exception(error)
        else:
            read.future.set_result(asides)

    def _mend(self) -> None:
        """Nothing writes into a slot any more, and those not filled are free."""
        wait([read.future for read in self._reads if not read.future.cancel()])
        self.table.recover()
        self._torn = False
