"""What a model said to a held-out question, whichever library ran it."""

from __future__ import annotations

from dataclasses import dataclass

MAX_TOKENS = 120  # of thought and answer: what goes on for longer is wrong anyway


@dataclass(frozen=True)
class Answer:
    """The model's thought (None when it opened none) and its answer, without box tags.

    The answer is that to the last turn.
    """

    thought: str | None
    text: str
