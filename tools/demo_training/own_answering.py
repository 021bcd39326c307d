"""Answers of a checkpoint folder through this library's `ChatSession`.

Knows how a held-out question is asked as a person would, turn after turn. Does not know
what is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from demo_training.answer import MAX_TOKENS, Answer
from demo_training.lessons import Question
from demo_training.showing import frames_of, pixels_of

from mlx_glm45v import (
    ChatOptions,
    ChatSession,
    ImagePart,
    Message,
    TextPart,
    VideoPart,
    load,
)
from mlx_glm45v.demo.clips import Clip
from mlx_glm45v.demo.drawing import Appearance
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from mlx_glm45v.processing.processor import Processor


def parts_of(question: Question) -> list[ImagePart | VideoPart]:
    """What the question shows, as the library takes it."""
    parts: list[ImagePart | VideoPart] = []
    for one in question.shown:
        if isinstance(one, Clip | Appearance):
            frames = frames_of(question.random, one)
            times = tuple(index / 2 for index in range(len(frames)))
            parts.append(VideoPart(frames, times=times))
        else:
            parts.append(ImagePart(pixels_of(question.random, one)))
    return parts


class OwnAnswerer:
    """A model of this library, one question after the other."""

    def __init__(
        self, model: Glm4vMoeForConditionalGeneration, processor: Processor
    ) -> None:
        self.model, self.processor = model, processor

    @classmethod
    def from_folder(cls, folder: Path) -> OwnAnswerer:
        """The model of a checkpoint folder."""
        return cls(*load(folder))

    def answer(
        self, questions: Sequence[Question], *, thinking: bool, blind: bool = False
    ) -> list[Answer]:
        """Answers to the questions; with `blind` nothing is shown."""
        return [self._answer(one, thinking=thinking, blind=blind) for one in questions]

    def _answer(self, question: Question, *, thinking: bool, blind: bool) -> Answer:
        shown = [] if blind else parts_of(question)
        history: list[Message] = []
        if question.earlier and shown:
            first = shown.pop(0)
            history = [
                Message("user", [first, TextPart(question.earlier.question)]),
                Message("assistant", question.earlier.answer),
            ]
        session = ChatSession(
            self.model,
            self.processor,
            history=history,
            options=ChatOptions(max_tokens=MAX_TOKENS),
        )
        for turn in question.turns:
            asked = Message("user", [*shown, TextPart(turn.question)])
            for _ in session.send(asked, thinking=thinking):
                pass
            shown = []
        reply = session.reply
        assert reply is not None  # a stream that ends has a reply
        return Answer(reply.thinking, reply.answer.strip())
