"""Answered together is answered alone: rows join, think, end and leave in any order."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.errors import Cancelled
from mlx_glm45v.generation.answer import GenerationOptions
from mlx_glm45v.generation.cache import AS_MADE, KVPrecision, PromptCache
from mlx_glm45v.generation.events import Finished, TextDelta
from mlx_glm45v.generation.features import FeatureCache
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.request import Request
from mlx_glm45v.generation.rows import Rows
from mlx_glm45v.generation.sampling import SamplingOptions
from mlx_glm45v.generation.splitter import merge
from mlx_glm45v.generation.stream import stream_prompt
from tests.generation.fakes import CONFIG, Letters, make_prompt

# Every ninth word opens thinking, every seventh closes it: a random model does both.
OPEN, CLOSE, END = range(2, 96, 9), range(3, 96, 7), frozenset({1, 40, 77})
WORDS = [
    "<think>" if token in OPEN else "</think>" if token in CLOSE else f"{token} "
    for token in range(CONFIG.text_config.vocab_size)
]
MARKERS = Markers(close_ids=(4, 3))

words = st.lists(st.integers(1, 80), min_size=1, max_size=9)
pictures = st.tuples(
    st.sampled_from(["image", "video"]),
    st.integers(1, 3),
    st.sampled_from([(2, 2), (4, 4), (4, 6)]),
)
prompts = st.builds(
    lambda parts, thinking: make_prompt(*parts, open_thinking=thinking),
    st.lists(st.one_of(words, pictures), min_size=1, max_size=3),
    st.booleans(),
)
answers = st.builds(
    GenerationOptions,
    max_tokens=st.integers(1, 24),
    stop=st.sampled_from([(), ("0 ",), ("5 ", "31 4")]),
    eos_token_ids=st.sampled_from([frozenset(), END]),
    thinking_budget=st.sampled_from([None, 0, 1, 4]),
    prefill_step_size=st.sampled_from([3, 2048]),
    repetition_run=st.sampled_from([0, 6]),
)
plain = st.just(SamplingOptions())
drawn = st.builds(
    SamplingOptions,
    temperature=st.sampled_from([0.0, 0.8, 3.0]),
    top_p=st.sampled_from([1.0, 0.7]),
    top_k=st.sampled_from([0, 1, 5]),
    min_p=st.sampled_from([0.0, 0.2]),
    repetition_penalty=st.sampled_from([1.0, 1.3]),
    presence_penalty=st.sampled_from([0.0, 0.5]),
    seed=st.integers(0, 5),
)


def requests(sampling):
    asked = st.tuples(prompts, answers, sampling)
    return st.lists(asked, min_size=1, max_size=6)


def told(events):
    """Words and end of one answer, without its seconds."""
    *rest, last = events
    assert isinstance(last, Finished)
    usage = last.usage
    return (
        merge([event for event in rest if isinstance(event, TextDelta)]),
        last.reason,
        (usage.prompt_tokens, usage.image_tokens, usage.video_tokens),
        (usage.generated_tokens, usage.thinking_tokens, usage.thinking_closed_by),
    )


def alone(model, prompt, options, sampling, precision=AS_MADE):
    return told(
        stream_prompt(
            model,
            prompt,
            detokenizer=Letters(WORDS),
            options=options,
            sampling=sampling,
            markers=MARKERS,
            cache=PromptCache(model, precision),
        )
    )


def add(
    rows,
    number,
    model,
    prompt,
    options,
    sampling=None,
    features=None,
    precision=AS_MADE,
):
    request = Request(
        model,
        prompt,
        detokenizer=Letters(WORDS),
        options=options,
        sampling=sampling or SamplingOptions(),
        markers=MARKERS,
    )
    assert rows.fits(request, precision)
    rows.add(number, request, prompt, PromptCache(model, precision), features)


def together(model, asked, size, precision=AS_MADE):
    rows, features = Rows(model), FeatureCache(10**9)
    events = {number: [] for number in range(len(asked))}
    waiting = iter(enumerate(asked))
    while True:
        for number, each in itertools.islice(waiting, size - len(rows)):
            add(rows, number, model, *each, features, precision)
        if not rows:
            return [told(each) for each in events.values()]
        for step in rows.until_one_ends():
            for number, event in step:
                events[number].append(event)


@settings(max_examples=60, deadline=None)
@given(asked=requests(plain), size=st.integers(1, 4))
def test_the_likeliest_words_are_those_of_each_alone(model, asked, size):
    assert together(model, asked, size) == [alone(model, *each) for each in asked]


@settings(max_examples=60, deadline=None)
@given(asked=requests(st.one_of(plain, drawn)), size=st.integers(2, 4))
def test_drawn_words_are_those_of_each_alone(model, asked, size):
    assert together(model, asked, size) == [alone(model, *each) for each in asked]


@settings(max_examples=12, deadline=None)
@given(
    asked=requests(st.one_of(plain, drawn)),
    size=st.integers(2, 4),
    bits=st.sampled_from([4, 8]),
)
def test_with_quantised_keys_too(wide_model, asked, size, bits):
    model, precision = wide_model, KVPrecision(bits)
    assert together(model, asked, size, precision) == [
        alone(model, *each, precision) for each in asked
    ]


LONG = GenerationOptions(max_tokens=30)


@pytest.mark.parametrize("cap", [1, 2, 3, 29])
def test_a_short_answer_leaves_its_row_and_another_takes_it(model, cap):
    short = GenerationOptions(max_tokens=cap)
    asked = [
        (make_prompt([7] * (3 + number)), options, SamplingOptions())
        for number, options in enumerate([LONG, short, LONG, short])
    ]
    assert together(model, asked, 2) == [alone(model, *each) for each in asked]


def test_answers_of_one_step_end_in_the_order_they_began(model):
    rows = Rows(model)
    for number in (5, 3, 4):
        add(rows, number, model, make_prompt([number]), GenerationOptions(max_tokens=4))
    *_, last = rows.until_one_ends()
    ends = [number for number, event in last if isinstance(event, Finished)]
    assert ends == [5, 3, 4]
    assert len(rows) == 0


def test_a_stop_ends_all_answers_as_far_as_they_came(model):
    steps = iter([False] * 3)
    rows = Rows(model, should_stop=lambda: next(steps, True))
    for number in range(2):
        add(rows, number, model, make_prompt([number + 1]), LONG)
    said = list(itertools.chain(*itertools.islice(rows.until_one_ends(), 3)))
    with pytest.raises(Cancelled):
        next(rows.until_one_ends())
    said += rows.cancelled()
    for number in range(2):
        *_, last = [event for whose, event in said if whose == number]
        assert (last.reason, last.usage.generated_tokens) == ("cancelled", 3)
    assert len(rows) == 0


def test_only_one_precision_is_at_work_at_a_time(wide_model):
    rows, prompt = Rows(wide_model), make_prompt([1])
    add(rows, 0, wide_model, prompt, LONG, precision=KVPrecision(8))
    other = Request(
        wide_model,
        prompt,
        detokenizer=Letters(WORDS),
        options=LONG,
        sampling=SamplingOptions(),
        markers=MARKERS,
    )
    assert rows.fits(other, KVPrecision(8))
    assert not rows.fits(other, KVPrecision(4))
    assert not rows.fits(other)


def test_only_one_rotary_regime_is_at_work_at_a_time(model, monkeypatch):
    monkeypatch.setattr(
        type(model), "rope_regime", lambda _, length: length > 40, raising=True
    )
    rows = Rows(model)
    add(rows, 0, model, make_prompt([1]), LONG)
    long = Request(
        model,
        make_prompt([1] * 20),
        detokenizer=Letters(WORDS),
        options=LONG,
        sampling=SamplingOptions(),
        markers=MARKERS,
    )
    assert not rows.fits(long)
    rows.cancelled()
    assert rows.fits(long)
