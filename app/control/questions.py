"""Turns of a conversation to a question for the model's process, and boxes back.

Pure: values in, values out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..conversation import Attachment, Box, Turn
from ..engine import protocol
from ..settings import Settings

FileOf = Callable[[Attachment], Path]


@dataclass(frozen=True)
class Question:
    """What is asked, and which attachments stand in each of its messages."""

    messages: tuple[protocol.Message, ...]
    attachments: tuple[tuple[Attachment, ...], ...]


def question_of(turns: Sequence[Turn], *, system: str, file_of: FileOf) -> Question:
    """The conversation up to its last turn; answers without a word are left out."""
    messages: list[protocol.Message] = []
    attachments: list[tuple[Attachment, ...]] = []
    if system.strip():
        words = (protocol.Words(system.strip()),)
        messages.append(protocol.Message("system", words))
        attachments.append(())
    for turn in turns:
        if turn.role == "assistant" and not (turn.text or turn.thinking):
            continue
        media = tuple(_medium(each, file_of) for each in turn.attachments)
        words = (protocol.Words(turn.text),) if turn.text or not media else ()
        messages.append(
            protocol.Message(turn.role, (*media, *words), turn.thinking or None)
        )
        attachments.append(turn.attachments)
    return Question(tuple(messages), tuple(attachments))


def options_of(settings: Settings, *, thinking: bool) -> protocol.Options:
    """How to answer, by the settings and the conversation's toggle."""
    sampling = None
    if not settings.checkpoint_sampling:
        sampling = protocol.Sampling(
            settings.temperature,
            settings.top_p,
            settings.top_k,
            settings.repetition_penalty,
        )
    return protocol.Options(
        thinking=thinking,
        thinking_budget=settings.thinking_budget if thinking else None,
        max_tokens=settings.max_tokens,
        context_length=settings.context,
        sampling=sampling,
    )


def boxes_of(question: Question, boxes: Sequence[protocol.Box]) -> tuple[Box, ...]:
    """The answer's boxes with the attachments they are on."""
    found = []
    for box in boxes:
        attachment = question.attachments[box.message][box.part]
        found.append(
            Box(
                label=box.label,
                digest=attachment.digest,
                page=box.page,
                left=box.left,
                top=box.top,
                right=box.right,
                bottom=box.bottom,
                width=box.width,
                height=box.height,
                start=box.start,
                stop=box.stop,
            )
        )
    return tuple(found)


def _medium(attachment: Attachment, file_of: FileOf) -> protocol.Medium:
    return protocol.Medium(
        attachment.kind,
        str(file_of(attachment)),
        attachment.name,
        pages=attachment.pages,
        max_pixels=attachment.max_pixels,
        fps=attachment.fps,
    )
