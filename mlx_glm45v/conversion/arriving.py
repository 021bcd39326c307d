"""Source files that come from the Hub one by one and go again: two on disk at most.

While one is converted the next is fetched. What an earlier run left is gone on with.
Knows a folder and an order of files; does not know what is done with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from ..errors import Cancelled
from ..hub.arrivals import Arrivals
from ..hub.background import Background
from ..hub.transfer import part_of
from ..progress import Progress, ProgressCallback, ShouldStop

AT_A_TIME = 2
_COMMIT_NAME = "commit"


class ArrivingFiles:
    """`SourceFiles` of a repository.

    `sizes` in bytes of all files that a whole conversion needs. `progress` gets bytes
    fetched, `should_stop` ends waiting. Used from one thread, and closed in the end.
    """

    removes = True

    def __init__(
        self,
        arrivals: Arrivals,
        sizes: Mapping[Path, int],
        *,
        progress: ProgressCallback | None = None,
        should_stop: ShouldStop | None = None,
    ) -> None:
        self._arrivals = arrivals
        self._sizes = sizes
        self._progress = progress
        self._should_stop = should_stop
        self._expected: list[Path] = []
        self._transfers: dict[Path, Background] = {}
        self._arrived: dict[Path, int] = {}
        self._reported = -1

    def room(self, files: Sequence[Path]) -> int:
        """The largest that may lie there together, less what does already."""
        largest = sorted((self._sizes[file] for file in files), reverse=True)
        lying = sum(map(_bytes_of, self._sizes))
        return max(0, sum(largest[:AT_A_TIME]) - lying)

    def here(self) -> list[Path]:
        """Those that are whole; a name is given only to what was verified."""
        return [file for file in self._sizes if file.exists()]

    def expect(self, files: Sequence[Path]) -> None:
        """Remove what will not be needed soon, and begin to fetch."""
        self._expected = list(files)
        for file in self._sizes:
            if file not in files[:AT_A_TIME]:
                _remove(file)
            elif file.exists():
                # A power cut may have spoilt it since: its transfer begins at its end,
                # with the checksum.
                file.replace(part_of(file))
        note_commit(self._arrivals)
        self._begin_next()

    def bring(self, file: Path) -> None:
        """Wait for a file; the one after it goes on coming."""
        transfer = self._transfers.get(file)
        if transfer is None:
            raise ValueError(f"{file} was not expected now")
        try:
            self._arrivals.wait(
                transfer, should_stop=self._should_stop, on_tick=self._report
            )
        except Cancelled as error:
            raise Cancelled(
                f"the conversion was stopped while {file.name} was fetched; started "
                "again it goes on from there"
            ) from error
        self._report()

    def give_back(self, file: Path) -> None:
        """Delete a file, and begin with the next that its place is for."""
        self._expected.remove(file)
        del self._transfers[file], self._arrived[file]
        _remove(file)
        self._begin_next()

    def close(self) -> None:
        """End what is still coming; its bytes stay for the next run."""
        Background.end(self._transfers.values())

    def _report(self) -> None:
        """Tell how many bytes were fetched, if that has changed."""
        left = sum(self._sizes[file] for file in self._expected)
        total = sum(self._sizes.values())
        done = total - left + sum(self._arrived.values())
        if self._progress is None or done == self._reported:
            return
        self._reported = done
        at_work = [f for f, size in self._arrived.items() if size < self._sizes[f]]
        item = at_work[0].name if at_work else self._arrivals.repository.repo_id
        self._progress(Progress("download", done, total, item))

    def _begin_next(self) -> None:
        for file in self._expected[:AT_A_TIME]:
            if file not in self._transfers:
                self._arrived[file] = _bytes_of(file)
                note = partial(self._arrived.__setitem__, file)
                self._transfers[file] = self._arrivals.begin(file.name, note)


def note_commit(arrivals: Arrivals) -> None:
    """Write down which commit the files come from, for a run that goes on with them."""
    arrivals.folder.mkdir(parents=True, exist_ok=True)
    repository = arrivals.repository
    line = f"{repository.repo_id} {repository.commit}"
    (arrivals.folder / _COMMIT_NAME).write_text(line)


def noted_commit(folder: Path, repo_id: str) -> str | None:
    """The commit of a repository that the files in `folder` come from, if noted."""
    path = folder / _COMMIT_NAME
    words = path.read_text().split() if path.exists() else []
    return words[1] if len(words) == 2 and words[0] == repo_id else None


def _bytes_of(file: Path) -> int:
    """Bytes of a file that is there as a whole or in part."""
    for path in (file, part_of(file)):
        if path.exists():
            return path.stat().st_size
    return 0


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
    part_of(file).unlink(missing_ok=True)
