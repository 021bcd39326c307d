"""Values survive the way over the pipe; everything else is refused by its place."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation import Stats
from app.engine.plain import NotUnderstood
from app.engine.protocol import (
    AnswerNow,
    Ask,
    Box,
    Failed,
    Finished,
    Load,
    Loaded,
    Loading,
    Medium,
    Message,
    Options,
    Progress,
    Sampling,
    Stop,
    Text,
    Words,
    event_of,
    request_of,
    title_of,
    to_line,
)

ASK = Ask(
    3,
    (
        Message("system", (Words("Be brief."),)),
        Message(
            "user",
            (
                Words("First"),
                Medium("image", "/a/b", "b.png", max_pixels=5000),
                Medium("video", "/a/c", "c.mp4", fps=2.0),
                Medium("document", "/a/d", "d.pdf", pages=(1, 3)),
            ),
        ),
        Message("assistant", (Words("Yes"),), thinking="Well\nwell \u2028 \U0001f600"),
    ),
    Options(True, 5, 100, 4096, Sampling(0.5, 0.9, 2, 1.1)),
    continue_reply=True,
)
BOX = Box("cat", 0, 1, None, 1, 2, 3, 4, 50, 60, 7, 12)


def over_the_pipe(value):
    return json.loads(json.dumps(to_line(value)))


@pytest.mark.parametrize("request_", [Load("demo", True), ASK, Stop(1), AnswerNow(2)])
def test_requests_arrive_as_they_were(request_):
    assert request_of(over_the_pipe(request_)) == request_


@pytest.mark.parametrize(
    "event",
    [
        Loading(1, 2, "x"),
        Loaded("demo", "Demo", 8192, 10, 20),
        Progress(1, "vision", 2, 3),
        Text(1, "thinking", "Hm", True),
        Finished(1, "length", Stats(5, tokens_per_second=2.5), (BOX,), 1.5),
        Failed(None, "CheckpointError", "gone"),
    ],
)
def test_events_arrive_as_they_were(event):
    assert event_of(over_the_pipe(event)) == event


@given(st.text(), st.text())
def test_any_words_arrive(words, thinking):
    message = Message("assistant", (Words(words),), thinking)
    assert request_of(over_the_pipe(replace(ASK, messages=(message,)))).messages == (
        message,
    )


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"is": "dance"}, "dance"),
        ({"is": None}, "None"),
        ({"id": "3"}, "Ask.id"),
        ({"id": True}, "Ask.id"),
        ({"id": None}, "Ask.id"),
        ({"messages": "Hi"}, "Ask.messages"),
        ({"messages": [{"parts": []}]}, r"messages\[0\] lacks 'role'"),
        ({"messages": [{"role": "tool", "parts": []}]}, r"messages\[0\].role"),
        ({"options": {"colour": 1}}, "Ask.options has no 'colour'"),
        ({"options": {"sampling": {"top_k": 0.5}}}, "sampling lacks 'temperature'"),
        ({"options": {"max_tokens": 1.5}}, "Ask.options.max_tokens"),
        ({"continue_reply": 1}, "Ask.continue_reply"),
        ({"extra": 1}, "no 'extra'"),
    ],
)
def test_what_was_not_agreed_on_is_refused_by_its_place(change, place):
    with pytest.raises(NotUnderstood, match=place):
        request_of(over_the_pipe(ASK) | change)


def test_a_number_too_large_is_refused():
    sampling = {**over_the_pipe(ASK)["options"]["sampling"], "temperature": 10**400}
    with pytest.raises(NotUnderstood, match="too large"):
        request_of(over_the_pipe(ASK) | {"options": {"sampling": sampling}})


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("demo", "Demo"),
        ("/models/GLM-4.5V-4bit", "GLM-4.5V-4bit"),
        ("mlx-community/GLM-4.5V-3bit", "GLM-4.5V-3bit"),
    ],
)
def test_a_model_is_called_by_its_last_word(name, title):
    assert title_of(name) == title
