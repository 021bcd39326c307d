"""Cached is fresh for whole conversations with the demo quantised to 4 bits."""

import itertools
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.answering import stream_generate
from mlx_glm45v.chat import ChatOptions, ChatSession
from mlx_glm45v.demo.scenes import draw, random_scene
from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.generation.reuse import GenerationCache
from mlx_glm45v.messages import ImagePart, Message, TextPart, VideoPart
from mlx_glm45v.replies import ReplyBuilder
from tests.conftest import PACKAGE
from tests.generation.small_model import prefilled
from tests.generation.test_reuse import assert_same

# Two pictures of one size, one of another, and a clip.
MEDIA = [
    *(
        ImagePart(draw(random_scene(Random(seed)), scale=scale))
        for seed, scale in ((1, 1.0), (2, 1.0), (3, 0.5))
    ),
    VideoPart(PACKAGE / "demo" / "media" / "example.mp4"),
]
OPTIONS = ChatOptions(max_tokens=14, thinking_budget=6)

questions = st.builds(
    lambda media, words: Message("user", [*media, TextPart(words)]),
    st.lists(st.sampled_from(MEDIA), max_size=2),
    st.sampled_from(["Describe the picture.", "How many shapes are there?", "Hello!"]),
)
replies = st.builds(
    lambda words, thinking: Message("assistant", words, thinking=thinking),
    st.sampled_from(["A red circle.", "There are two shapes."]),
    st.sampled_from([None, "Let me count the shapes."]),
)
rounds = st.tuples(questions, replies)


@st.composite
def edited(draw):
    """Conversations made of one another: gone on with, cut, another turn in between."""
    found = [draw(st.lists(rounds, min_size=1, max_size=3))]
    for _ in range(draw(st.integers(1, 3))):
        base = draw(st.sampled_from(found))
        cut = draw(st.integers(0, len(base)))
        after = base[cut + 1 :] if draw(st.booleans()) else []
        found.append([*base[:cut], draw(rounds), *after])
    return [
        ([*itertools.chain(*each)][:-1], draw(st.sampled_from([None, True, False])))
        for each in found
    ]


@settings(max_examples=6, deadline=None)
@given(conversations=edited(), step_size=st.sampled_from([50, 4096]))
def test_logits_are_those_of_a_fresh_run(quantised_demo, conversations, step_size):
    model, processor = quantised_demo
    cache = PromptCache(model)
    for messages, thinking in conversations:
        prompt = processor.prompt(messages, thinking=thinking)
        _, logits = prefilled(model, prompt, step_size, cache)
        assert_same(logits, prefilled(model, prompt)[1])


# What a person does next, and after how many events the answer is stopped, if at all.
steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "edit", "regenerate"]),
        questions,
        st.sampled_from([None, True, False]),
        st.one_of(st.none(), st.integers(0, 12)),
    ),
    min_size=2,
    max_size=5,
)


@settings(max_examples=6, deadline=None)
@given(steps=steps, budget=st.sampled_from([0, 2_000_000, 10**9]))
def test_answers_are_those_of_a_fresh_run(quantised_demo, steps, budget):
    model, processor = quantised_demo
    cache = GenerationCache(model, kv_bytes=budget, feature_bytes=budget)
    history: list[Message] = []
    for action, question, thinking, stop in steps:
        if action != "add":
            before, question = history[:-2], history[-2] if history else question
            if action == "edit":
                question = Message("user", [*question.parts, TextPart(" Why?")])
            history = before
        session = ChatSession(
            model, processor, history=history, options=OPTIONS, cache=cache
        )
        for count, _ in enumerate(session.send(question, thinking=thinking)):
            if count == stop:
                session.stop()
        assert session.reply is not None
        if session.reply.reason != "cancelled":
            fresh = answered(quantised_demo, [*history, question], thinking)
            assert (session.reply.thinking, session.reply.answer) == fresh
        # A stop before the first word leaves the conversation as it was.
        history = list(session.messages)


def answered(demo, messages, thinking):
    said = ReplyBuilder()
    for event in stream_generate(*demo, messages, replace(OPTIONS, thinking=thinking)):
        said.add(event)
    reply = said.build((), ())
    assert reply is not None
    return reply.thinking, reply.answer
