"""What experts that are read when they are chosen have cost so far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ExpertTraffic:
    """Counts since loading, of the layers whose experts are not all in memory.

    The difference of two says what happened in between.

    `chosen` counts experts asked for, each once a layer and forward pass, `read` those
    of them that had to be read. `bytes_read` are the files' bytes, `seconds` the time
    in which reads were going on.
    """

    chosen: int = 0
    read: int = 0
    bytes_read: int = 0
    seconds: float = 0.0

    def __sub__(self, before: ExpertTraffic) -> ExpertTraffic:
        return ExpertTraffic(
            self.chosen - before.chosen,
            self.read - before.read,
            self.bytes_read - before.bytes_read,
            self.seconds - before.seconds,
        )

    @property
    def hit_rate(self) -> float:
        """The part of chosen experts that was in memory; 1.0 before any was chosen."""
        return 1.0 - self.read / self.chosen if self.chosen else 1.0

    @property
    def bandwidth(self) -> float:
        """Bytes a second while reading; 0.0 when nothing was read."""
        return self.bytes_read / self.seconds if self.seconds > 0 else 0.0


class ExpertSource(Protocol):
    """Where a model's experts come from when not all of them are in memory."""

    @property
    def traffic(self) -> ExpertTraffic:
        """What was read so far."""
        ...

    @property
    def resident(self) -> float:
        """The part of all experts' bytes that has room in memory."""
        ...

    @property
    def prefill_tokens(self) -> int:
        """How much of a prompt memory allows to compute at once.

        However long the piece, each expert that it needs is read once.
        """
        ...

    def save_profile(self, path: Path) -> None:
        """Write which experts were chosen, for loading with them another time.

        Raises OSError.
        """
        ...

    def close(self) -> None:
        """Let go of files and threads; the model is of no more use."""
        ...
