"""Answers of a checkpoint folder through this library's `ChatSession`.

Knows how a held-out question is asked as a person would. Does not know what is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from demo_training.held_out import Answer, Question
from demo_training.samples import clip_pixels, still_pixels

from mlx_glm45v import ChatSession, VideoPart, load
from mlx_glm45v.demo.scenes import Scene


class OwnAnswerer:
    """A checkpoint folder in this library, one question after the other."""

    def __init__(self, folder: Path) -> None:
        self.model, self.processor = load(folder)

    def answer(self, questions: Sequence[Question], *, thinking: bool) -> list[Answer]:
        """Answers to the questions."""
        return [self._answer(question, thinking=thinking) for question in questions]

    def _answer(self, question: Question, *, thinking: bool) -> Answer:
        images, videos = [], []
        if isinstance(question.shown, Scene):
            images = [still_pixels(question.random, question.shown)]
        elif question.shown is not None:
            frames = clip_pixels(question.random, question.shown)
            times = tuple(index / 2 for index in range(len(frames)))
            videos = [VideoPart(frames, times=times)]
        session = ChatSession(self.model, self.processor)
        asked = question.exchange.question
        reply = session.ask(asked, images=images, videos=videos, thinking=thinking)
        return Answer(reply.thinking, reply.answer.strip())
