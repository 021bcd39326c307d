"""Many conversations with the demo: replies alone and together, errors, stops."""

import gc
import itertools
import time
from dataclasses import replace
from random import Random

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.answering import stream_generate
from mlx_glm45v.batch import BatchProgress, generate_batch
from mlx_glm45v.chat import ChatOptions
from mlx_glm45v.demo.scenes import draw, random_scene
from mlx_glm45v.errors import MediaError, PromptTooLong
from mlx_glm45v.generation.reuse import GenerationCache
from mlx_glm45v.generation.sampling import SamplingOptions
from mlx_glm45v.messages import ImagePart, Message, TextPart, VideoPart
from mlx_glm45v.replies import Reply, ReplyBuilder
from tests.conftest import PACKAGE

SHORT = ChatOptions(max_tokens=48, thinking=False)
PICTURES = [
    ImagePart(draw(random_scene(Random(seed)), scale=scale))
    for seed, scale in ((1, 1.0), (2, 0.5), (3, 0.7))
]
CLIP = VideoPart(PACKAGE / "demo" / "media" / "example.mp4")
QUESTIONS = ["Describe the picture.", "How many shapes are there?", "Hello!"]


def ask(*parts):
    said = [TextPart(part) if isinstance(part, str) else part for part in parts]
    return [Message("user", said)]


CAPTIONS = [ask(picture, "Describe the picture.") for picture in PICTURES]
TORN = ask(ImagePart(b"\x89PNG"), "What is it?")

conversations = st.builds(
    lambda system, media, question: [*system, *ask(*media, question)],
    st.sampled_from([[], [Message("system", "Be brief.")]]),
    st.lists(st.sampled_from([*PICTURES, CLIP]), max_size=2),
    st.sampled_from(QUESTIONS),
)
options = st.builds(
    ChatOptions,
    thinking=st.sampled_from([None, True, False]),
    thinking_budget=st.sampled_from([None, 0, 5]),
    max_tokens=st.integers(1, 40),
    stop=st.sampled_from([(), (" and",), ("shape", "circle.")]),
    sampling=st.sampled_from(
        [
            None,
            SamplingOptions(temperature=1.5, seed=4),
            SamplingOptions(temperature=2.0, top_p=0.9, top_k=20, seed=1),
            SamplingOptions(repetition_penalty=1.4),
        ]
    ),
    repetition_run=st.sampled_from([0, 8]),
)


def alone(demo, conversation, options):
    said = ReplyBuilder()
    for event in stream_generate(*demo, conversation, options):
        said.add(event)
    reply = said.build((), ())
    assert reply is not None
    return reply


def told(reply):
    """A reply without boxes, media and seconds."""
    usage = reply.usage
    return (
        reply.answer,
        reply.thinking,
        reply.reason,
        (usage.prompt_tokens, usage.image_tokens, usage.video_tokens),
        (usage.generated_tokens, usage.thinking_tokens, usage.thinking_closed_by),
    )


@settings(max_examples=7, deadline=None)
@given(
    asked=st.lists(st.tuples(conversations, options), min_size=1, max_size=6),
    size=st.integers(1, 4),
)
def test_replies_are_those_of_each_alone(either_demo, asked, size):
    given_, how = zip(*asked, strict=True)
    replies = dict(generate_batch(*either_demo, given_, how, batch_size=size))
    assert [told(replies[index]) for index in range(len(asked))] == [
        told(alone(either_demo, *each)) for each in asked
    ]


def test_keys_and_values_may_be_quantised_for_some_and_each_is_as_alone(demo):
    """Rows of other bits wait for those at work, and take no cache of theirs."""
    asked = [CAPTIONS[0], CAPTIONS[1], CAPTIONS[0], CAPTIONS[0], CAPTIONS[2]]
    how = [replace(SHORT, kv_bits=bits) for bits in (8, 8, 4, None, 8)]
    replies = dict(generate_batch(*demo, asked, how, batch_size=3))
    for index, (conversation, options) in enumerate(zip(asked, how, strict=True)):
        assert told(replies[index]) == told(alone(demo, conversation, options))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_what_cannot_be_used_is_told_in_its_place_and_the_others_go_on(demo, size):
    long = ask("word " * 5000)
    asked = [CAPTIONS[0], TORN, CAPTIONS[1], [], long, CAPTIONS[2]]
    results = dict(generate_batch(*demo, asked, SHORT, batch_size=size))
    kinds = [type(results[index]) for index in range(len(asked))]
    assert kinds == [Reply, MediaError, Reply, ValueError, PromptTooLong, Reply]
    for index in (0, 2, 5):
        assert told(results[index]) == told(alone(demo, asked[index], SHORT))


def test_a_prompt_over_a_lowered_context_is_told_as_such(demo):
    (fits,) = generate_batch(*demo, [CAPTIONS[0]], SHORT)
    length = fits[1].usage.prompt_tokens
    tight = replace(SHORT, context_length=length)
    ((_, error),) = generate_batch(*demo, [CAPTIONS[0]], tight)
    assert isinstance(error, PromptTooLong)
    roomier = replace(SHORT, context_length=length + 1)
    ((_, reply),) = generate_batch(*demo, [CAPTIONS[0]], roomier)
    assert (reply.reason, reply.usage.generated_tokens) == ("length", 1)


def test_a_short_answer_comes_before_a_longer_one_that_began_earlier(demo):
    how = [ChatOptions(max_tokens=cap, thinking=False) for cap in (9, 3, 3, 7)]
    asked = [ask("Hello!")] * 4
    order = [index for index, _ in generate_batch(*demo, asked, how, batch_size=3)]
    assert order == [1, 2, 0, 3]


def test_conversations_are_taken_when_their_turn_comes(demo):
    taken = []

    def many():
        for number in itertools.count():
            taken.append(number)
            yield ask("Hello!")

    results = generate_batch(*demo, many(), SHORT, batch_size=2)
    assert taken == []
    next(results)
    assert taken == [0, 1]
    results.close()


def test_a_picture_shared_by_conversations_is_encoded_once(demo, monkeypatch):
    model, processor = demo
    encoded = []
    encode = type(model).encode_media

    def counted(self, pixels, grids, **more):
        encoded.extend(grids)
        return encode(self, pixels, grids, **more)

    monkeypatch.setattr(type(model), "encode_media", counted)
    asked = [ask(question, PICTURES[0]) for question in QUESTIONS]
    list(generate_batch(model, processor, asked, SHORT))
    assert len(encoded) == 1
    cache = GenerationCache(model)
    list(generate_batch(model, processor, asked, SHORT, cache=cache))
    list(generate_batch(model, processor, CAPTIONS[:1], SHORT, cache=cache))
    assert len(encoded) == 2


def test_what_prompts_begin_with_in_common_is_computed_once(demo):
    asked = [ask(PICTURES[0], question) for question in QUESTIONS]
    _, *others = [reply for _, reply in sorted(generate_batch(*demo, asked, SHORT))]
    for reply in others:
        assert reply.usage.cached_tokens > reply.usage.image_tokens > 0


def test_a_stop_gives_the_answers_under_way_as_far_as_they_came(demo):
    reports: list[BatchProgress] = []
    results = generate_batch(
        *demo,
        CAPTIONS * 2,
        SHORT,
        batch_size=2,
        progress=reports.append,
        should_stop=lambda: bool(reports) and reports[-1].generated_tokens >= 8,
    )
    ends = [(index, reply.reason) for index, reply in results]
    assert ends == [(0, "cancelled"), (1, "cancelled")]


def test_a_stop_while_files_are_read_ends_the_run(demo):
    assert list(generate_batch(*demo, CAPTIONS, should_stop=lambda: True)) == []


def test_progress_counts_conversations_and_tokens(demo):
    reports: list[BatchProgress] = []
    asked = [*CAPTIONS, TORN]
    results = dict(
        generate_batch(*demo, asked, SHORT, batch_size=2, progress=reports.append)
    )
    tokens = sum(
        reply.usage.generated_tokens
        for reply in results.values()
        if isinstance(reply, Reply)
    )
    assert reports[-1] == BatchProgress(4, 0, tokens)
    assert max(report.running for report in reports) == 2
    for name in ("done", "generated_tokens"):
        counts = [getattr(report, name) for report in reports]
        assert counts == sorted(counts)


def test_each_reply_tells_the_seconds_of_its_own_prompt(demo):
    started = time.perf_counter()
    replies = [reply.usage for _, reply in generate_batch(*demo, CAPTIONS * 3, SHORT)]
    seconds = time.perf_counter() - started
    own = [
        usage.media_seconds + usage.vision_seconds + usage.prefill_seconds
        for usage in replies
    ]
    # Prompts are read one after the other.
    assert sum(own) < seconds
    assert [usage.time_to_first_token for usage in replies] == pytest.approx(own)


def test_memory_does_not_grow_with_the_number_of_conversations(demo):
    def peak(count, size):
        asked = itertools.islice(itertools.cycle(CAPTIONS), count)
        cache = GenerationCache(demo[0], kv_bytes=0, feature_bytes=0)
        gc.collect()
        mx.clear_cache()
        results = generate_batch(*demo, asked, SHORT, batch_size=size, cache=cache)
        return max(reply.usage.peak_memory for _, reply in results)

    # Each pair of prompts has a length of its own.
    assert peak(12, 2) <= 1.05 * peak(4, 2)


def test_boxes_and_media_are_those_of_a_reply(demo):
    ((_, reply),) = generate_batch(*demo, CAPTIONS[:1], SHORT)
    assert [item.kind for item in reply.media] == ["image"]
    assert reply.boxes == ()


def test_what_a_batch_cannot_do_is_told_at_once(demo):
    with pytest.raises(ValueError, match="batch_size"):
        generate_batch(*demo, CAPTIONS, batch_size=0)
    with pytest.raises(ValueError, match="quantized_kv_start=9 cannot be used"):
        generate_batch(*demo, CAPTIONS, ChatOptions(kv_bits=8, quantized_kv_start=9))
    unknown = ChatOptions(sampling=SamplingOptions(logit_bias={99_999: 1.0}))
    with pytest.raises(ValueError, match="logit_bias names token 99999"):
        generate_batch(*demo, CAPTIONS, unknown)
    with pytest.raises(ValueError, match="1 options for 3 conversations"):
        generate_batch(*demo, CAPTIONS, [SHORT])
    with pytest.raises(ValueError, match="shorter"):
        list(generate_batch(*demo, iter(CAPTIONS), [SHORT]))


def broken_walk():
    yield from CAPTIONS
    raise OSError("the walk ended")


@pytest.mark.parametrize(
    ("asked", "how", "error"),
    [
        (iter([*CAPTIONS, CAPTIONS[0]]), [SHORT] * 3, ValueError),
        (broken_walk(), SHORT, OSError),
        ([*CAPTIONS, CAPTIONS[0]], [SHORT, SHORT, SHORT, None], AttributeError),
        ([*CAPTIONS, [None]], SHORT, AttributeError),
    ],
    ids=["too few options", "an iterator", "no options", "no message"],
)
def test_answers_under_way_come_before_an_error_of_what_is_asked(
    demo, asked, how, error
):
    results = generate_batch(*demo, asked, how, batch_size=2)
    replies = dict(itertools.islice(results, 3))
    assert [replies[index].reason for index in range(3)] == ["stop"] * 3
    with pytest.raises(error):
        next(results)
    assert list(results) == []


def test_keys_and_values_that_no_conversation_can_quantise_are_told_at_once(
    narrow_demo,
):
    with pytest.raises(ValueError, match="heads of a multiple of 64"):
        generate_batch(*narrow_demo, CAPTIONS, ChatOptions(kv_bits=8))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (replace(SHORT, kv_bits=8), "heads of a multiple of 64"),
        (replace(SHORT, kv_bits=8, quantized_kv_start=9), "quantized_kv_start=9"),
    ],
)
def test_options_that_do_not_fit_are_told_in_their_conversations_place(
    narrow_demo, wrong, said
):
    """The answers that are under way then come all the same."""
    how = [replace(SHORT, max_tokens=9), replace(SHORT, max_tokens=3), wrong, SHORT]
    asked = [ask("Hello!")] * 4
    results = dict(generate_batch(*narrow_demo, asked, how, batch_size=2))
    kinds = [type(results[index]) for index in range(4)]
    assert kinds == [Reply, Reply, ValueError, Reply]
    assert said in str(results[2])
