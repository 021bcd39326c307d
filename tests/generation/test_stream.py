import itertools
import threading

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.errors import ConversationInUse, MediaError, PromptTooLong
from mlx_glm45v.generation import pieces
from mlx_glm45v.generation.answer import GenerationOptions
from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.generation.events import Finished, PrefillProgress, TextDelta
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.sampling import SamplingOptions
from mlx_glm45v.generation.splitter import merge
from mlx_glm45v.generation.stream import stream_prompt
from tests.generation.fakes import CONFIG, IMAGE, Letters, ScriptedModel, make_prompt

# One word a token; successor() below tells which follows which.
OPEN, CLOSE, NEWLINE, END, A, B, C, X, Y, BOX, UNBOX = range(11)
WORDS = [
    *("<think>", "</think>", "\n", "<end>", "a ", "b ", "c ", "x ", "y "),
    *("<|begin_of_box|>", "<|end_of_box|>"),
    *(f"w{number} " for number in range(11, 96)),
]
MARKERS = Markers(close_ids=(NEWLINE, CLOSE))


def successor(**steps):
    table = list(range(len(WORDS)))
    for name, after in steps.items():
        table[globals()[name]] = after
    return table


THINKER = {"A": OPEN, "OPEN": B, "B": C, "C": B, "CLOSE": X, "X": Y, "Y": END}


def run(model, prompt, *, cache=None, sampling=None, markers=MARKERS, **options):
    polled = {name: options.pop(name, None) for name in ("should_stop", "answer_now")}
    return stream_prompt(
        model,
        prompt,
        detokenizer=Letters(WORDS),
        options=GenerationOptions(
            **{"max_tokens": 20, "eos_token_ids": frozenset({END}), **options}
        ),
        sampling=sampling or SamplingOptions(),
        markers=markers,
        cache=cache,
        **polled,
    )


def said(events):
    deltas = merge([event for event in events if isinstance(event, TextDelta)])
    return [(delta.channel, delta.text) for delta in deltas]


def assert_consistent(cache):
    for layer in cache.layers:
        assert layer.offset == len(cache.tokens)
        if cache.tokens:
            ids = layer.keys_and_values()[1][0, 0, :, 0] / 100
            known = np.array(ids).round().astype(int)
            text = [i for i, token in enumerate(cache.tokens) if token != IMAGE]
            assert known[text].tolist() == [cache.tokens[i] for i in text]


def test_events_come_in_order_and_end_once():
    model = ScriptedModel(successor(A=X, X=Y, Y=END))
    *events, last = run(model, make_prompt([A]))
    assert events == [
        PrefillProgress("prompt", 0, 1),
        PrefillProgress("prompt", 1, 1),
        TextDelta("answer", "x "),
        TextDelta("answer", "y "),
    ]
    assert isinstance(last, Finished)
    assert last.reason == "stop"
    assert last.usage.prompt_tokens == 1
    assert last.usage.generated_tokens == 3


def test_pictures_are_reported_in_patches_and_counted():
    model = ScriptedModel(successor(A=END))
    prompt = make_prompt([B], ("image", 1, (4, 4)), ("video", 2, (2, 2)), [A])
    events = list(run(model, prompt))
    assert events[:3] == [
        PrefillProgress("vision", 0, 20),
        PrefillProgress("vision", 16, 20),
        PrefillProgress("vision", 20, 20),
    ]
    usage = events[-1].usage
    assert (usage.image_tokens, usage.video_tokens) == (4, 1)
    assert usage.peak_memory > 0
    assert usage.time_to_first_token > 0
    assert min(usage.vision_seconds, usage.prefill_seconds, usage.decode_seconds) > 0


def test_a_picture_shown_twice_is_encoded_once():
    model = ScriptedModel(successor(A=END))
    picture = ("image", 1, (4, 4))
    list(run(model, make_prompt(picture, [B], picture, ("image", 2, (4, 4)), [A])))
    assert model.encoded == [(1, 4, 4)] * 2


def test_the_cap_ends_the_answer():
    model = ScriptedModel(successor(A=X, X=Y, Y=X))
    *events, last = run(model, make_prompt([A]), max_tokens=3)
    assert said(events) == [("answer", "x y x ")]
    assert last.reason == "length"
    assert last.usage.generated_tokens == 3


def test_the_context_ends_the_answer():
    model = ScriptedModel(successor(A=X))
    cache = PromptCache(model)
    *_, last = run(model, make_prompt([A] * 250), max_tokens=20, cache=cache)
    assert (last.reason, last.usage.generated_tokens) == ("length", 6)
    assert len(cache.tokens) < CONFIG.context_length


def test_a_prompt_over_the_context_is_refused_before_any_work():
    model = ScriptedModel(successor())
    prompt = make_prompt([A] * 200, ("image", 1, (16, 16)))
    with pytest.raises(PromptTooLong, match=r"264 tokens \(64 of images\).* 256"):
        run(model, prompt)
    assert model.blocks_run == model.layers_run == 0


def test_a_prompt_that_fills_the_context_has_no_room_to_answer():
    with pytest.raises(PromptTooLong):
        run(ScriptedModel(successor()), make_prompt([A] * 256))
    run(ScriptedModel(successor()), make_prompt([A] * 255))


def test_a_placeholder_without_picture_is_an_error():
    with pytest.raises(MediaError, match="1 media placeholder"):
        run(ScriptedModel(successor()), make_prompt([A, IMAGE, B]))


def test_an_empty_prompt_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        run(ScriptedModel(successor()), make_prompt([]))


def test_a_stop_string_ends_the_answer_across_tokens():
    model = ScriptedModel(successor(A=X, X=Y, Y=B, B=C, C=X))
    *events, last = run(model, make_prompt([A]), stop=("y b",))
    assert said(events) == [("answer", "x ")]
    assert last.reason == "stop"


def test_a_stop_string_in_thinking_is_not_one():
    model = ScriptedModel(successor(**THINKER))
    *events, last = run(model, make_prompt([A]), stop=("b ", "x y"), thinking_budget=2)
    assert said(events) == [("thinking", "b c ")]
    assert last.reason == "stop"


def test_box_markers_become_a_flag():
    model = ScriptedModel(successor(A=BOX, BOX=X, X=UNBOX, UNBOX=END))
    events = list(run(model, make_prompt([A])))
    assert events[2:-1] == [TextDelta("answer", "x ", boxed=True)]


def test_thinking_without_end_stays_thinking_at_the_cap():
    *events, last = run(
        ScriptedModel(successor(**THINKER)), make_prompt([A]), max_tokens=5
    )
    assert said(events) == [("thinking", "b c b c ")]
    assert last.reason == "length"
    assert last.usage.thinking_tokens == 4


@pytest.mark.parametrize("budget", [0, 1, 2, 5])
def test_the_budget_closes_thinking_that_the_model_opened(budget):
    model = ScriptedModel(successor(**THINKER))
    cache = PromptCache(model)
    *events, last = run(model, make_prompt([A]), thinking_budget=budget, cache=cache)
    thoughts = "".join("bc"[i % 2] + " " for i in range(budget))
    expected = [("thinking", thoughts)] if budget else []
    assert said(events) == [*expected, ("answer", "x y ")]
    assert last.reason == "stop"
    assert last.usage.thinking_tokens == budget
    thought = [B if i % 2 == 0 else C for i in range(budget)]
    assert cache.tokens == [A, OPEN, *thought, NEWLINE, CLOSE, X, Y, END]
    assert_consistent(cache)


def test_the_budget_closes_thinking_that_the_prompt_opened():
    prompt = make_prompt([A, OPEN], open_thinking=True)
    events = list(run(ScriptedModel(successor(**THINKER)), prompt, thinking_budget=0))
    assert said(events) == [("answer", "x y ")]


def test_thinking_that_repeats_itself_is_closed_and_the_answer_follows():
    *events, last = run(
        ScriptedModel(successor(**THINKER)),
        make_prompt([A]),
        repetition_run=10,
        max_tokens=40,
    )
    assert said(events) == [("thinking", "b c " * 5), ("answer", "x y ")]
    assert last.reason == "stop"
    assert last.usage.thinking_closed_by == "repetition"


def test_an_answer_that_repeats_itself_ends():
    model = ScriptedModel(successor(A=X, X=Y, Y=X))
    *events, last = run(model, make_prompt([A]), repetition_run=10, max_tokens=40)
    assert said(events) == [("answer", "x y " * 5)]
    assert last.reason == "repetition"
    assert last.usage.thinking_closed_by is None


def test_thinking_that_cannot_be_closed_ends():
    *events, last = run(
        ScriptedModel(successor(**THINKER)),
        make_prompt([A]),
        markers=Markers(close_ids=()),
        repetition_run=10,
        max_tokens=40,
    )
    assert said(events) == [("thinking", "b c " * 5)]
    assert last.reason == "repetition"


def test_a_budget_that_thinking_keeps_changes_nothing():
    model = ScriptedModel(successor(**{**THINKER, "C": CLOSE}))
    events = list(run(model, make_prompt([A]), thinking_budget=2))
    assert said(events) == [("thinking", "b c "), ("answer", "x y ")]


def test_thinking_that_opens_again_is_closed_again():
    steps = {**THINKER, "X": OPEN, "CLOSE": X}
    *events, last = run(
        ScriptedModel(successor(**steps)),
        make_prompt([A]),
        thinking_budget=1,
        max_tokens=10,
    )
    assert said(events) == [("thinking", "b "), ("answer", "x x ")]
    assert last.reason == "length"


def test_without_room_for_an_answer_thinking_is_not_closed():
    model = ScriptedModel(successor(**THINKER))
    *events, last = run(model, make_prompt([A]), thinking_budget=1, max_tokens=4)
    assert said(events) == [("thinking", "b c b ")]
    assert (last.reason, last.usage.generated_tokens) == ("length", 4)


def test_answer_now_closes_thinking():
    asked = threading.Event()
    events = []
    for event in run(
        ScriptedModel(successor(**THINKER)), make_prompt([A]), answer_now=asked.is_set
    ):
        events.append(event)
        if isinstance(event, TextDelta) and event.text == "c ":
            asked.set()
    assert said(events) == [("thinking", "b c "), ("answer", "x y ")]


def test_answer_now_is_remembered_until_the_model_thinks():
    asked = iter([True])
    events = run(
        ScriptedModel(successor(**THINKER)),
        make_prompt([A]),
        answer_now=lambda: next(asked, False),
    )
    assert said(events) == [("answer", "x y ")]


def test_decoding_ahead_equals_decoding_step_by_step():
    def words(*after, max_tokens):
        prompt = make_prompt([A, B, C], ("image", 3, (4, 6)), [X, Y, *after])
        (said_,) = said(
            run(
                ScriptedModel(),
                prompt,
                max_tokens=max_tokens,
                markers=NO_MARKERS,
                eos_token_ids=frozenset(),
            )
        )
        return said_[1]

    ids: list[int] = []
    for _ in range(12):
        ids.append(WORDS.index(words(*ids, max_tokens=1)))
    assert words(max_tokens=12) == "".join(WORDS[token] for token in ids)


NO_MARKERS = Markers(thinking=None, box=None, tool=None, hidden=())


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 100])
def test_chunks_do_not_change_the_answer(step):
    prompt = make_prompt(
        [A, B], ("image", 1, (4, 4)), [C, X], ("video", 2, (2, 6)), [Y]
    )
    whole = said(run(ScriptedModel(), prompt, eos_token_ids=frozenset()))
    chunked = said(
        run(
            ScriptedModel(),
            prompt,
            eos_token_ids=frozenset(),
            prefill_step_size=step,
        )
    )
    assert chunked == whole


PROMPT = make_prompt([A, B], ("image", 1, (4, 4)), [C, X, A])


@pytest.mark.parametrize("count", range(1, 14))
def test_leaving_at_any_event_leaves_the_cache_consistent(count):
    model = ScriptedModel(successor(**THINKER))
    cache = PromptCache(model)
    events = run(
        model, PROMPT, cache=cache, prefill_step_size=3, thinking_budget=3, max_tokens=9
    )
    for _ in range(count):
        next(events, None)
    events.close()
    assert_consistent(cache)


@pytest.mark.parametrize("poll", range(18))
def test_stopping_at_any_poll_leaves_the_cache_consistent(poll, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_FLOPS", 1.0)
    polls = 0

    def should_stop():
        nonlocal polls
        polls += 1
        return polls > poll

    model = ScriptedModel(successor(**THINKER))
    cache = PromptCache(model)
    *_, last = run(
        model, PROMPT, cache=cache, prefill_step_size=3, should_stop=should_stop
    )
    assert last.reason == "cancelled"
    assert_consistent(cache)
    assert cache.tokens[: len(PROMPT)] == PROMPT.token_ids[: len(cache)].tolist()
    assert polls == poll + 1


def test_a_stop_takes_effect_before_the_next_layer(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_FLOPS", 1.0)
    model = ScriptedModel(successor(A=X))
    list(run(model, PROMPT, should_stop=lambda: model.layers_run == 2))
    assert model.layers_run == 2
    list(run(model, PROMPT, should_stop=lambda: model.blocks_run == 3))
    assert model.blocks_run == 3


def test_text_held_back_arrives_when_stopped():
    polls = iter([False] * 3)
    model = ScriptedModel(successor(A=X, X=Y, Y=X))
    *events, last = run(
        model,
        make_prompt([A]),
        stop=("x y x y z",),
        should_stop=lambda: next(polls, True),
    )
    assert said(events) == [("answer", "x y ")]
    assert last.reason == "cancelled"


def test_an_error_empties_the_cache():
    class Broken(ScriptedModel):
        def __call__(self, **arguments):
            output = super().__call__(**arguments)
            if arguments["past_key_values"][0].offset > 4:
                raise RuntimeError("out of memory")
            return output

    model = Broken(successor(A=X))
    cache = PromptCache(model)
    with pytest.raises(RuntimeError, match="out of memory"):
        list(run(model, make_prompt([A, A, A]), cache=cache))
    assert cache.tokens == []
    assert_consistent(cache)


@pytest.mark.parametrize("end", ["the answer", "a stop", "a reader who leaves"])
def test_an_error_on_the_way_out_empties_the_cache(monkeypatch, end):
    stop = threading.Event()
    cache = PromptCache(ScriptedModel())
    events = run(ScriptedModel(), PROMPT, cache=cache, should_stop=stop.is_set)
    for _ in range(5):
        next(events)
    assert cache.tokens

    def fail(_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(PromptCache, "evaluate", fail)
    if end == "a stop":
        stop.set()
    with pytest.raises(RuntimeError, match="out of memory"):
        events.close() if end == "a reader who leaves" else list(events)
    assert not cache.in_use
    assert cache.tokens == []
    assert_consistent(cache)


def test_a_second_request_does_not_inherit_the_first_ones_state():
    model = ScriptedModel()
    cache = PromptCache(model)
    first = make_prompt([A], ("image", 1, (8, 8)), [B])
    second = make_prompt([A, B, C])
    alone = said(run(model, second))
    list(run(model, first, cache=cache))
    assert said(run(model, second, cache=cache)) == alone
    assert cache.rope_delta == 0


def test_two_requests_may_take_turns():
    model = ScriptedModel()
    first = make_prompt([A], ("image", 1, (8, 8)), [B])
    second = make_prompt([A, B, C])
    alone = [said(run(model, first)), said(run(model, second))]
    both = list(zip(run(model, first), run(model, second), strict=False))
    texts = [said(events) for events in zip(*both, strict=True)]
    for text, whole in zip(texts, alone, strict=True):
        assert "".join(t for _, t in whole).startswith("".join(t for _, t in text))
        assert text


def test_a_request_on_a_cache_at_work_is_refused_and_disturbs_nothing():
    model = ScriptedModel()
    first, second = make_prompt([A, B, C]), make_prompt([A, B, A])
    cache = PromptCache(model)
    events = run(model, first, cache=cache, max_tokens=6)
    before = list(itertools.islice(events, 6))
    peak = peak_of_a_large_array()
    with pytest.raises(ConversationInUse, match=r"close\(\) them"):
        list(run(model, second, cache=cache))
    assert mx.get_peak_memory() == peak
    alone = said(run(model, first, max_tokens=6))
    assert said([*before, *events]) == alone
    alone = said(run(model, second))
    assert said(run(model, second, cache=cache)) == alone


def peak_of_a_large_array():
    """Of work done before, as an answer at work has had."""
    mx.eval(mx.zeros(2**20))
    return mx.get_peak_memory()


@pytest.mark.parametrize("left", ["closed", "dropped"])
def test_a_reader_who_leaves_gives_the_cache_free(left):
    model = ScriptedModel()
    cache = PromptCache(model)
    events = run(model, PROMPT, cache=cache)
    next(events)
    assert cache.in_use
    if left == "closed":
        events.close()
    del events
    assert not cache.in_use
    assert said(run(model, PROMPT, cache=cache)) == said(run(model, PROMPT))


def test_of_threads_that_come_at_once_one_works_on_a_cache():
    cache = PromptCache(ScriptedModel())
    together, all_came = threading.Barrier(8), threading.Barrier(8)
    ends = []

    def work():
        together.wait()
        try:
            with cache.working(PROMPT, rope_length=99):
                all_came.wait()
                ends.append("worked")
        except ConversationInUse:
            all_came.wait()
            ends.append("refused")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["refused"] * 7 + ["worked"]
    assert not cache.in_use


def test_the_cache_knows_its_pictures_by_digest():
    model = ScriptedModel(successor(A=END))
    cache = PromptCache(model)
    list(run(model, PROMPT, cache=cache))
    (span,) = cache.spans
    assert (span.start, span.stop, span.digest) == (2, 6, "1")
    assert cache.rope_delta == PROMPT.rope_delta == -2


def test_penalties_see_what_was_generated():
    model = ScriptedModel(successor(A=X, X=X))
    sampling = SamplingOptions(presence_penalty=20.0, logit_bias={Y: 1.0, B: 0.5})
    events = run(model, make_prompt([A]), sampling=sampling, max_tokens=3)
    assert said(events) == [("answer", "x y b ")]


def test_a_reader_in_another_thread_may_leave():
    model = ScriptedModel(successor(**THINKER))
    cache = PromptCache(model)
    events = run(model, PROMPT, cache=cache)
    thread = threading.Thread(target=lambda: [next(events) for _ in range(7)])
    thread.start()
    thread.join()
    events.close()
    assert len(cache.tokens) > len(PROMPT)
    assert_consistent(cache)


def test_a_request_may_be_made_in_one_thread_and_run_in_another():
    model = ScriptedModel(successor(A=X))
    cache = PromptCache(model)
    events = run(model, make_prompt([A]), cache=cache)
    taken = []

    def work():
        taken.extend(next(events) for _ in range(5))
        events.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(taken) == 5
    mx.eval([layer.state for layer in cache.layers])
    assert_consistent(cache)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 0),
        ("thinking_budget", -1),
        ("prefill_step_size", 0),
        ("stop", ("",)),
    ],
)
def test_options_out_of_range_are_named(field, value):
    with pytest.raises(ValueError, match=field):
        GenerationOptions(**{field: value})


def test_a_bare_stop_string_is_told_apart_from_a_list_of_them():
    with pytest.raises(ValueError, match=r"list of strings; write \['END'\]"):
        GenerationOptions(stop="END")
