"""What was said but is not on disk yet: deltas of answers, and answers that ended.

Knows how to write it in the caller's transaction. Forgets only when told that the
transaction stands, so a full disk costs nothing.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace
from typing import Literal

from ..conversation import Box, Stats, Turn, TurnState
from .rows import boxes_text, clean, stats_text

Channel = Literal["text", "thinking"]


@dataclass(frozen=True)
class Ending:
    """How an answer ended."""

    state: TurnState
    stats: Stats | None
    boxes: tuple[Box, ...] | None
    error: str | None
    thinking_seconds: float | None


@dataclass
class Pending:
    """Everything of one store that waits for the next flush."""

    deltas: dict[int, dict[Channel, list[str]]] = field(default_factory=dict)
    endings: dict[int, Ending] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.deltas or self.endings)

    def append(self, turn: int, channel: Channel, text: str) -> None:
        """Keep a delta."""
        channels = self.deltas.setdefault(turn, {"text": [], "thinking": []})
        channels[channel].append(text)

    def write(self, connection: sqlite3.Connection) -> None:
        """Everything into the tables; turns that were deleted meanwhile are skipped."""
        for turn, channels in self.deltas.items():
            connection.execute(
                "UPDATE turns SET text = text || ?, thinking = thinking || ? "
                "WHERE id = ?",
                (clean("".join(channels["text"])), _joined(channels), turn),
            )
        for turn, end in self.endings.items():
            connection.execute(
                "UPDATE turns SET state = ?, stats = COALESCE(?, stats), "
                "boxes = COALESCE(?, boxes), error = ?, thinking_seconds = "
                "COALESCE(?, thinking_seconds), writer = NULL WHERE id = ?",
                (
                    end.state,
                    stats_text(end.stats),
                    None if end.boxes is None else boxes_text(end.boxes),
                    None if end.error is None else clean(end.error),
                    end.thinking_seconds,
                    turn,
                ),
            )

    def forget(self) -> None:
        """It is on disk."""
        self.deltas.clear()
        self.endings.clear()

    def onto(self, turn: Turn) -> Turn:
        """The turn as it will be after the next flush."""
        if channels := self.deltas.get(turn.id):
            text = turn.text + clean("".join(channels["text"]))
            turn = replace(turn, text=text, thinking=turn.thinking + _joined(channels))
        if end := self.endings.get(turn.id):
            turn = replace(
                turn,
                state=end.state,
                stats=end.stats or turn.stats,
                boxes=turn.boxes if end.boxes is None else end.boxes,
                error=end.error,
                thinking_seconds=turn.thinking_seconds
                if end.thinking_seconds is None
                else end.thinking_seconds,
            )
        return turn


def _joined(channels: dict[Channel, list[str]]) -> str:
    return clean("".join(channels["thinking"]))
