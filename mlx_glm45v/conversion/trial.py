"""One short answer of a converted model, about the picture that comes with the package.

Loads the model as anybody would. Says nothing about how good the answer is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import Cancelled
from ..progress import ProgressCallback, ShouldStop

QUESTION = "Describe the picture."
_PICTURE = Path(__file__).parents[1] / "demo" / "media" / "example.png"
_TOKENS = 48


@dataclass(frozen=True)
class Answer:
    """What the model said, and how fast."""

    text: str
    tokens_per_second: float


def short_answer(
    folder: Path,
    *,
    progress: ProgressCallback | None = None,
    should_stop: ShouldStop | None = None,
) -> Answer:
    """Load a folder's model and ask it once.

    Raises `NotEnoughMemory` before any weight is read, `CheckpointError`, `MediaError`,
    or `Cancelled`.
    """
    # Importing the engine takes seconds, which only this needs.
    from ..chat import ChatOptions, ChatSession
    from ..loading import load

    model, processor = load(folder, progress=progress, should_stop=should_stop)
    options = ChatOptions(thinking=False, max_tokens=_TOKENS)
    session = ChatSession(model, processor, options=options)
    for _ in session.stream(QUESTION, images=[_PICTURE]):
        if should_stop is not None and should_stop():
            session.stop()
    reply = session.reply
    if reply is None or reply.reason == "cancelled":
        raise Cancelled("the answer was stopped")
    return Answer(reply.answer.strip(), reply.usage.tokens_per_second)
