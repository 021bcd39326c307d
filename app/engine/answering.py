"""One question to the library and its answer, in the words of the protocol.

Knows the library's messages, options and events. Does not know pipes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import mlx.core as mx

import mlx_glm45v as glm

from ..conversation import Stats
from .protocol import (
    Ask,
    Box,
    Event,
    Finished,
    Medium,
    Message,
    Options,
    Progress,
    Text,
    Words,
)
from .wishes import Wishes

# The least share that the library takes; 0 in the settings means "only the likeliest".
_LEAST_TOP_P = 1e-6
# Tokens read at once. Without a GPU the usual number takes seconds, and a stop waits.
_STEP_SIZE_ON_CPU = 128


def answer(
    model: glm.Glm4vMoeForConditionalGeneration,
    processor: glm.Processor,
    cache: glm.GenerationCache,
    ask: Ask,
    wishes: Wishes,
) -> Iterator[Event]:
    """Progress, words, and one `Finished`; `cache` is shared by all conversations.

    Raises:
        Glm45vError: the question cannot be answered.
        ValueError: an option is out of range, or there is nothing to answer.
    """
    messages = [_message(each) for each in ask.messages]
    if not messages:
        raise ValueError("there is no message to answer")
    history = messages if ask.continue_reply else messages[:-1]
    session = glm.ChatSession(
        model, processor, history=history, options=_options(ask.options), cache=cache
    )
    events = (
        session.continue_reply() if ask.continue_reply else session.send(messages[-1])
    )
    thinking = _ThinkingTime()
    with wishes.granted_by(session):
        for event in events:
            match event:
                case glm.PrefillProgress(stage, done, total):
                    yield Progress(ask.id, stage, done, total)
                case glm.TextDelta(channel, text, boxed):
                    thinking.saw(channel)
                    yield Text(ask.id, channel, text, boxed)
                case glm.Finished():
                    thinking.end()
    reply = session.reply
    assert reply is not None  # a stream that ends has a reply
    yield Finished(
        ask.id,
        reply.reason,
        _stats(reply.usage),
        tuple(_box(box, reply) for box in reply.boxes),
        thinking.seconds,
    )


class _ThinkingTime:
    """From the first thought to the first word of the answer, or to the end."""

    def __init__(self) -> None:
        self._since: float | None = None
        self.seconds: float | None = None

    def saw(self, channel: str) -> None:
        if channel != "thinking":
            self.end()
        elif self._since is None:
            self._since = time.monotonic()

    def end(self) -> None:
        if self._since is not None and self.seconds is None:
            self.seconds = time.monotonic() - self._since


def _message(message: Message) -> glm.Message:
    parts = [_part(part) for part in message.parts]
    return glm.Message(message.role, parts, thinking=message.thinking or None)


def _part(
    part: Words | Medium,
) -> glm.TextPart | glm.ImagePart | glm.VideoPart | glm.DocumentPart:
    match part:
        case Words(text):
            return glm.TextPart(text)
        case Medium(kind="image"):
            return glm.ImagePart(Path(part.path), max_pixels=part.max_pixels)
        case Medium(kind="video"):
            return glm.VideoPart(
                Path(part.path), fps=part.fps, max_pixels=part.max_pixels
            )
        case _:
            return glm.DocumentPart(
                Path(part.path), pages=part.pages, max_pixels=part.max_pixels
            )


def _options(options: Options) -> glm.ChatOptions:
    chosen = options.sampling
    sampling = None
    if chosen is not None:
        sampling = glm.SamplingOptions(
            temperature=chosen.temperature,
            top_p=max(chosen.top_p, _LEAST_TOP_P),
            top_k=chosen.top_k,
            repetition_penalty=chosen.repetition_penalty,
        )
    return glm.ChatOptions(
        thinking=options.thinking,
        thinking_budget=options.thinking_budget,
        max_tokens=options.max_tokens,
        context_length=options.context_length,
        sampling=sampling,
        prefill_step_size=_STEP_SIZE_ON_CPU if _on_cpu() else None,
    )


def _on_cpu() -> bool:
    return mx.default_device() == mx.Device(mx.cpu)


def _stats(usage: glm.Usage) -> Stats:
    return Stats(
        prompt_tokens=usage.prompt_tokens,
        image_tokens=usage.image_tokens,
        video_tokens=usage.video_tokens,
        cached_tokens=usage.cached_tokens,
        generated_tokens=usage.generated_tokens,
        thinking_tokens=usage.thinking_tokens,
        tokens_per_second=usage.tokens_per_second,
        time_to_first_token=usage.time_to_first_token,
        peak_memory=usage.peak_memory,
    )


def _box(box: glm.Box, reply: glm.Reply) -> Box:
    picture = reply.media[box.item]
    return Box(
        label=box.label,
        message=picture.message,
        part=picture.part,
        page=picture.page,
        left=box.left,
        top=box.top,
        right=box.right,
        bottom=box.bottom,
        width=picture.width,
        height=picture.height,
        start=box.start,
        stop=box.stop,
    )
