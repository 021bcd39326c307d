"""The trained demo model thinks, answers and stops as its big sibling should."""

from pathlib import Path

import pytest

from mlx_glm45v.generation.answer import GenerationOptions
from mlx_glm45v.generation.events import Finished, TextDelta
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.sampling import SamplingOptions
from mlx_glm45v.generation.splitter import merge
from mlx_glm45v.generation.stream import stream_prompt
from mlx_glm45v.messages import ImagePart, Message, TextPart, VideoPart

DEMO = Path(__file__).parents[2] / "mlx_glm45v" / "demo"
PICTURE = ImagePart(DEMO / "media" / "example.png")
VIDEO = VideoPart(DEMO / "media" / "example.mp4")
HOW_MANY = TextPart("How many shapes are there?")


def ask(demo, *parts, thinking, **options):
    model, processor = demo
    ends = processor.generation_config["eos_token_id"]
    *events, last = stream_prompt(
        model,
        processor.prompt([Message("user", parts)], thinking=thinking),
        detokenizer=processor.tokenizer.detokenizer(),
        options=GenerationOptions(
            **{"max_tokens": 80, "eos_token_ids": frozenset(ends), **options}
        ),
        sampling=SamplingOptions.from_generation_config(processor.generation_config),
        markers=Markers.of(processor.tokenizer),
    )
    deltas = merge([event for event in events if isinstance(event, TextDelta)])
    assert isinstance(last, Finished)
    return {delta.channel: delta.text for delta in deltas}, last


def test_it_opens_thinking_itself_and_then_answers(demo):
    said, last = ask(demo, PICTURE, HOW_MANY, thinking=True)
    assert list(said) == ["thinking", "answer"]
    assert last.reason == "stop"
    assert 0 < last.usage.thinking_tokens < last.usage.generated_tokens


def test_with_thinking_off_everything_is_answer(demo):
    said, last = ask(demo, PICTURE, HOW_MANY, thinking=False)
    assert list(said) == ["answer"]
    assert last.usage.thinking_tokens == 0


@pytest.mark.parametrize("budget", [0, 3])
def test_a_budget_ends_its_thinking_and_the_answer_follows(demo, budget):
    said, last = ask(demo, PICTURE, HOW_MANY, thinking=True, thinking_budget=budget)
    assert said["answer"].strip()
    assert last.reason == "stop"
    assert last.usage.thinking_tokens == budget


def test_chunks_do_not_change_what_it_says_about_a_video(demo):
    question = TextPart("Which way does the shape move?")
    whole, _ = ask(demo, VIDEO, question, thinking=False)
    parts, _ = ask(demo, VIDEO, question, thinking=False, prefill_step_size=7)
    assert parts == whole
    assert whole["answer"].strip()
