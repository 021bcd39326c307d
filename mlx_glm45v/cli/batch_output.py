"""The answers of a batch on disk: appended one by one, whole after any kill.

Knows lines, their digests and how a file is kept sound. Does not know how answers are
made.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from mlx_glm45v.cli.batch_lines import BatchLine
from mlx_glm45v.conversion.disk import sync_file, sync_folder
from mlx_glm45v.errors import Glm45vError

_BEGINNING = b'{"line": '


class _Place(NamedTuple):
    """Where a record stands in the file, and which line it was of."""

    start: int
    stop: int
    line: int


def as_record(line: BatchLine, row: Mapping[str, Any]) -> dict[str, Any]:
    """A line of output: which line of input it is of, then `row`."""
    digests = {"digest": line.digest, "question": line.question}
    return {"line": line.number, "id": line.id, **digests, **row}


class PrintedOutput:
    """Answers on standard output: a later run knows nothing of them."""

    def waiting(self, lines: Sequence[BatchLine]) -> list[BatchLine]:
        """All of them."""
        return list(lines)

    def left_over(self, _lines: Sequence[BatchLine]) -> int:
        """None."""
        return 0

    def append(self, record: Mapping[str, Any]) -> None:
        """Prints a record."""
        sys.stdout.write(_encoded(record).decode("utf-8"))
        sys.stdout.flush()

    def finish(self, _lines: Sequence[BatchLine]) -> None:
        """Nothing: they stay in the order in which they came."""

    def close(self) -> None:
        """Nothing."""


class BatchOutput:
    """An output file that belongs to this process while it is open.

    Records are there as soon as they are written. What a kill left of a last line is
    cut off. Answers of earlier runs count, errors are asked again.
    """

    def __init__(self, path: Path) -> None:
        """Opens or makes the file.

        Raises:
            Glm45vError: it cannot be written, another process writes it, or it is not
                the output of a batch.
        """
        # A link's target is replaced at the end, not the link.
        self.path = path.resolve()
        self._answers: dict[str, list[_Place]] = {}
        self._errors: dict[str, list[_Place]] = {}
        self._order: list[str] = []
        self._questions: set[str] = set()
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise Glm45vError(
                f"{self.path} cannot be written: {error.strerror}"
            ) from error
        try:
            self._lock()
            self._read()
        except BaseException:
            self.close()
            raise

    def waiting(self, lines: Sequence[BatchLine]) -> list[BatchLine]:
        """The lines that have no answer yet.

        Raises:
            Glm45vError: there are answers, but to other lines, whatever their media.
        """
        asked = {each for line in lines for each in (line.question, line.digest)}
        if self._answers and asked.isdisjoint(self._questions):
            raise Glm45vError(
                f"{self.path} holds answers, but none to a line of this file with this "
                "model and these options; choose another --output"
            )
        left = Counter({digest: len(at) for digest, at in self._answers.items()})
        waiting: list[BatchLine] = []
        for line in lines:
            if left[line.digest]:
                left[line.digest] -= 1
            else:
                waiting.append(line)
        return waiting

    def left_over(self, lines: Sequence[BatchLine]) -> int:
        """How many answers are to lines that are there no more, or read otherwise."""
        answers = Counter({digest: len(at) for digest, at in self._answers.items()})
        return (answers - Counter(line.digest for line in lines)).total()

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes a record; it is on disk when this returns.

        Raises:
            Glm45vError: the disk does not take it.
        """
        data = _encoded(record)
        with self._explained():
            start = os.lseek(self._descriptor, 0, os.SEEK_END)
            try:
                _write(self._descriptor, data)
            except BaseException:
                os.ftruncate(self._descriptor, start)
                raise
            sync_file(self._descriptor)
        self._note(record, start, start + len(data))

    def finish(self, lines: Sequence[BatchLine]) -> None:
        """Puts the file in the order of `lines`, one record each, all of them there.

        The new file takes the old one's place whole or not at all.
        """
        records = list(self._of(lines))
        if self._order == [line.digest for line in lines] and all(
            place.line == line.number
            for line, place in zip(lines, records, strict=True)
        ):
            return
        unfinished = self.path.with_name(f".{self.path.name}.unfinished")
        with self._explained():
            try:
                with unfinished.open("wb") as stream:
                    for line, place in zip(lines, records, strict=True):
                        record = json.loads(self._text_at(place))
                        stream.write(_encoded({**record, "line": line.number}))
                    stream.flush()
                    sync_file(stream.fileno())
                os.replace(unfinished, self.path)
                sync_folder(self.path.parent)
            finally:
                unfinished.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets another process have it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _of(self, lines: Sequence[BatchLine]) -> Iterator[_Place]:
        """Each line's record: its answer, else the error told last."""
        answers = {digest: iter(at) for digest, at in self._answers.items()}
        for line in lines:
            answer = next(answers.get(line.digest, iter(())), None)
            yield answer or self._errors[line.digest][-1]

    def _lock(self) -> None:
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise Glm45vError(
                f"{self.path} is no regular file; choose another --output"
            )
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._busy() from error
        # Another run may have put its finished file there since it was opened.
        if not os.path.samestat(os.stat(self.path), os.fstat(self._descriptor)):
            raise self._busy()

    def _read(self) -> None:
        start = 0
        with self.path.open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                if not raw.endswith(b"\n"):
                    if not _is_torn(raw):
                        raise self._foreign(number)
                    os.ftruncate(self._descriptor, start)
                    return
                try:
                    record = json.loads(raw)
                    self._note(record, start, start + len(raw))
                except (ValueError, TypeError, KeyError) as error:
                    raise self._foreign(number) from error
                start += len(raw)

    def _note(self, record: Mapping[str, Any], start: int, stop: int) -> None:
        kind = self._errors if "error" in record else self._answers
        kind.setdefault(record["digest"], []).append(
            _Place(start, stop, record["line"])
        )
        self._order.append(record["digest"])
        # Files of earlier versions have none.
        self._questions.add(record.get("question", record["digest"]))

    def _text_at(self, place: _Place) -> bytes:
        return os.pread(self._descriptor, place.stop - place.start, place.start)

    def _busy(self) -> Glm45vError:
        return Glm45vError(f"{self.path} is being written by another run")

    def _foreign(self, number: int) -> Glm45vError:
        return Glm45vError(
            f"{self.path} is no output of --batch, or damaged, in line {number}; it is "
            "left as it is, choose another --output"
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Glm45vError(
                f"{self.path} cannot be written: {error.strerror}. Answers so far are "
                "kept; the same command goes on"
            ) from error


def _is_torn(raw: bytes) -> bool:
    """Whether it may be what a kill or a power cut left of a record."""
    held = raw.rstrip(b"\0")
    return held.startswith(_BEGINNING) or _BEGINNING.startswith(held)


def _encoded(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8") + b"\n"


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
