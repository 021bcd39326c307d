"""The conversion itself, step by step: begin, read, quantise, write, note, publish.

Knows the order of the steps and what each must have put on disk before the next. A run
may end at any step, at any instruction, and the next run goes on: leaving needs no
cleaning up. Does not know how names become folders, nor what a person is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from .. import __version__
from ..errors import ConversionError
from .beside import write_files
from .journal import JOURNAL_NAME, Journal
from .pieces import in_order_of_files, is_intact, write_piece
from .plan import Piece, Plan
from .reader import BLOCK_NUMBERS, Reader
from .source_files import AllThere, SourceFiles
from .target import begin, remove_source, replaced_bytes
from .writer import Writer

# How much is written between two syncs, and at most compared after a crash. A sync
# cannot be stopped: on a slow disk this takes most of a second.
SYNC_BYTES = 64_000_000
# The search takes ten times as long, and stopping should not have to wait for it.
SEARCH_NUMBERS = BLOCK_NUMBERS // 4
_JOURNAL_FORMAT = 2

Stage = Literal[
    "begin",
    "lay out",
    "compare",
    "check",
    "write",
    "note",
    "sync",
    "beside",
    "publish",
]


@dataclass(frozen=True)
class Step:
    """Something was just done; `done` of `total` source bytes are dealt with."""

    stage: Stage
    item: str
    done: int
    total: int


@dataclass(frozen=True)
class Limits:
    """How much is held and left unsynced at a time; the output does not depend on it.

    `numbers` in a block, `sync_bytes` written between two syncs.
    """

    numbers: int = BLOCK_NUMBERS
    sync_bytes: int = SYNC_BYTES


class Run:
    """One run over a plan: new, or going on where an earlier one was cut off.

    `beside` gives the small files once the checksums of all arrays are known.
    `bytes_read` and `bytes_kept` say how much was read, and what earlier runs had done.
    """

    def __init__(
        self,
        plan: Plan,
        target: Path,
        *,
        identity: Mapping[str, Any],
        beside: Callable[[Mapping[str, list[int]]], Mapping[str, bytes]],
        overwrite: bool = False,
        source_files: SourceFiles | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.plan = plan
        self.bytes_kept = 0
        self._target = target
        self._begun_as = begun_as(plan, identity)
        self._beside = beside
        self._overwrite = overwrite
        self._source_files = source_files or AllThere()
        self._limits = limits or Limits(
            numbers=SEARCH_NUMBERS if plan.search else BLOCK_NUMBERS
        )
        self._reader = Reader()
        self._done = 0

    @property
    def bytes_read(self) -> int:
        """Bytes of the source read by this run."""
        return self._reader.bytes_read

    def steps(self) -> Iterator[Step]:
        """Do everything, stopping after each step; raises as the parts do.

        Leaving in the middle loses at most one piece.
        """
        plan = self.plan
        resumes = (self._target / JOURNAL_NAME).exists()
        if not resumes:
            self._check_space(Writer(self._target, plan.files), plan.pieces)
        with ExitStack() as stack:
            journal = begin(self._target, self._begun_as, overwrite=self._overwrite)
            stack.callback(journal.close)
            yield self._step("begin", JOURNAL_NAME)
            finishing = len(journal.sure) == len(plan.pieces)
            writer = Writer(self._target, plan.files, finishing=finishing)
            stack.enter_context(writer)
            stack.enter_context(self._reader)
            if resumes and not finishing:
                self._check_space(writer, self._left(journal))
            missing = writer.missing()
            _note_lost(journal, [p for p in plan.pieces if missing & p.output_files])
            for name in writer.lay_out():
                yield self._step("lay out", name)
            yield from self._compare(self._doubtful(journal), journal, writer)
            kept = [piece for piece in plan.pieces if piece.number in journal]
            self._done = self.bytes_kept = sum(piece.span.nbytes for piece in kept)
            yield self._step("check", "what an earlier run wrote")
            yield from self._pieces(journal, writer)
            yield self._sync(journal, writer, "weights")
            files = self._beside(_by_array(plan, journal))
            for name in write_files(self._target, files):
                yield self._step("beside", name)
            for name in writer.publish():
                yield self._step("publish", name)
            # Before the journal goes: a finished folder holds nothing else.
            remove_source(self._target)
            journal.remove()

    def _pieces(self, journal: Journal, writer: Writer) -> Iterator[Step]:
        """Everything that is not done yet, one source file after the other."""
        order = list(in_order_of_files(self._left(journal)))
        self._source_files.expect(list(dict.fromkeys(file for file, _, _ in order)))
        written = 0
        for file, pieces, finished in order:
            self._source_files.bring(file)
            for piece in pieces:
                before = self._done
                writing = write_piece(
                    self.plan, piece, self._reader, writer, numbers=self._limits.numbers
                )
                checksums = [0] * len(piece.parameter.slots)
                for rows, checksums in writing:  # noqa: B007
                    self._done = before + piece.span.nbytes * rows // piece.span.rows
                    yield self._step("write", piece.label)
                journal.note(piece.number, tuple(checksums))
                written += piece.nbytes
                yield self._step("note", piece.label)
                if written >= self._limits.sync_bytes:
                    written = 0
                    yield self._sync(journal, writer, piece.label)
            if finished:
                yield self._sync(journal, writer, file.name)
            for used in finished:
                yield from self._leave(used, journal, writer)

    def _leave(self, file: Path, journal: Journal, writer: Writer) -> Iterator[Step]:
        """Give a file back; what came of it is compared where it will be gone."""
        if self._source_files.removes:
            pieces = [piece for piece in self.plan.pieces if file in piece.span.files]
            yield from self._compare(pieces, journal, writer)
            for piece in pieces:
                if piece.number not in journal:
                    raise ConversionError(
                        f"{piece.parameter.key} cannot be read back from "
                        f"{self._target} as it was written; check the disk and start "
                        "the conversion again, it writes that part anew"
                    )
        self._reader.forget(file)
        self._source_files.give_back(file)

    def _compare(
        self, pieces: Iterable[Piece], journal: Journal, writer: Writer
    ) -> Iterator[Step]:
        """Read back what pieces wrote; those that differ are noted as lost."""
        for piece in pieces:
            if piece.number not in journal:
                continue
            if not is_intact(piece, writer, journal.checksums(piece.number)):
                journal.note_lost([piece.number])
            yield self._step("compare", piece.label)

    def _doubtful(self, journal: Journal) -> list[Piece]:
        """What was written since the last sync, or from files that are still here."""
        here = set(self._source_files.here())
        return [
            piece
            for piece in self.plan.pieces
            if piece.number in journal.unsure or here & piece.span.files
        ]

    def _left(self, journal: Journal) -> list[Piece]:
        """The pieces that are not done yet."""
        return [piece for piece in self.plan.pieces if piece.number not in journal]

    def _sync(self, journal: Journal, writer: Writer, item: str) -> Step:
        """Data first: the journal's line says that it is on disk."""
        writer.sync()
        journal.note_synced()
        return self._step("sync", item)

    def _check_space(self, writer: Writer, left: Iterable[Piece]) -> None:
        files = sorted({file for piece in left for file in piece.span.files})
        given_back = replaced_bytes(self._target) if self._overwrite else 0
        writer.check_space(extra=self._source_files.room(files) - given_back)

    def _step(self, stage: Stage, item: str) -> Step:
        return Step(stage, item, self._done, self.plan.bytes_to_read)


def begun_as(plan: Plan, identity: Mapping[str, Any]) -> dict[str, Any]:
    """What a journal must say for a run to go on: equal bytes come of equal values.

    `identity` has a value for each source file that changes when its content may have.
    """
    return {
        "journal format": _JOURNAL_FORMAT,
        "versions": {"mlx-glm45v": __version__, "mlx": version("mlx")},
        "recipe": plan.recipe.name if plan.recipe else None,
        "group size": plan.recipe.group_size if plan.recipe else None,
        "search": plan.search,
        "dtype": plan.dtype,
        "arrays": {"layout": plan.digest()},
        "source": dict(identity),
    }


def _note_lost(journal: Journal, pieces: Sequence[Piece]) -> None:
    lost = [piece.number for piece in pieces if piece.number in journal]
    if lost:
        journal.note_lost(lost)


def _by_array(plan: Plan, journal: Journal) -> dict[str, list[int]]:
    """The checksums of every array of the output, in the order of its pieces."""
    found: dict[str, list[int]] = {}
    for piece in plan.pieces:
        checksums = journal.checksums(piece.number)
        for slot, checksum in zip(piece.parameter.slots, checksums, strict=True):
            found.setdefault(slot.array.name, []).append(checksum)
    return found
