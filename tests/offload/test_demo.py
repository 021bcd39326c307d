"""The trained demo with a third of its experts in memory, alone and in batches."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from mlx_glm45v.batch import generate_batch
from mlx_glm45v.chat import ChatOptions, ChatSession
from mlx_glm45v.demo.scenes import draw, random_scene
from mlx_glm45v.loading import load
from mlx_glm45v.messages import ImagePart, Message, Part, TextPart, VideoPart
from mlx_glm45v.replies import Reply
from tests.conftest import PACKAGE

PICTURES = [ImagePart(draw(random_scene(Random(seed)))) for seed in (1, 2, 3)]
CLIP = VideoPart(PACKAGE / "demo" / "media" / "example.mp4")


@pytest.fixture(scope="module")
def streamed(demo_folder: Path) -> Any:
    model, processor = load(demo_folder, expert_memory="2.5MB")
    assert model.expert_source is not None
    return model, processor


def talk(model_and_processor: Any) -> list[tuple[str, str | None]]:
    session = ChatSession(*model_and_processor, options=ChatOptions(max_tokens=60))
    said = []
    turns: list[tuple[list[Part], str]] = [
        ([PICTURES[0]], "Describe the picture."),
        ([], "How many shapes are there?"),
        ([CLIP], "Which way does the shape move?"),
    ]
    for media, words in turns:
        list(session.send(Message("user", [*media, TextPart(words)])))
        assert session.reply is not None
        said.append((session.reply.answer, session.reply.thinking))
    return said


def test_a_conversation_is_the_same(demo: Any, streamed: Any):
    assert talk(streamed) == talk(demo)


def test_a_batch_is_the_same(demo: Any, streamed: Any):
    asked = [
        [Message("user", [picture, TextPart("Describe the picture.")])]
        for picture in PICTURES
    ]

    def answers(model_and_processor: Any) -> dict[int, str]:
        results = generate_batch(
            *model_and_processor, asked, ChatOptions(max_tokens=48), batch_size=3
        )
        found = dict(results)
        assert all(isinstance(reply, Reply) for reply in found.values())
        return {index: reply.answer for index, reply in found.items()}

    assert answers(streamed) == answers(demo)
