"""Who has the source's files: a disk where they stay, or someone who brings them.

The agreement between a run and that someone. Knows no run and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class SourceFiles(Protocol):
    """Brings each file before it is read, and may remove it after.

    `removes` says that a file given back is gone, so that what came of it is compared
    on disk first.
    """

    removes: bool

    def room(self, files: Sequence[Path]) -> int:
        """Bytes that bringing these still takes of the target's disk at a time."""
        ...

    def here(self) -> Sequence[Path]:
        """Files that were brought by an earlier run and not given back."""
        ...

    def expect(self, files: Sequence[Path]) -> None:
        """Exactly these will be brought, in this order."""
        ...

    def bring(self, file: Path) -> None:
        """Return when the file is there as a whole; may be called more than once."""
        ...

    def give_back(self, file: Path) -> None:
        """The file is not needed any more, and what came of it is on disk."""
        ...


class AllThere:
    """Files that lie on this machine already and stay."""

    removes = False

    def room(self, files: Sequence[Path]) -> int:  # noqa: ARG002
        """None."""
        return 0

    def here(self) -> Sequence[Path]:
        """None of them was brought."""
        return ()

    def expect(self, files: Sequence[Path]) -> None:
        """Nothing to do."""

    def bring(self, file: Path) -> None:
        """Nothing to do."""

    def give_back(self, file: Path) -> None:
        """Nothing to do."""
