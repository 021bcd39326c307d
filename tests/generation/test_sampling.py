import mlx.core as mx
import pytest

from mlx_glm45v.generation.sampling import Chooser, SamplingOptions

VOCAB = 50


def logits_of(**favourites):
    values = [0.0] * VOCAB
    for name, value in favourites.items():
        values[int(name[1:])] = value
    return mx.array([values])


def draws(options, logits, count=40, prompt=()):
    choose = Chooser(options, vocab_size=VOCAB, prompt=prompt)
    return [choose(logits).item() for _ in range(count)]


def test_the_default_takes_the_likeliest():
    assert set(draws(SamplingOptions(), logits_of(t7=1.0))) == {7}


def test_a_temperature_spreads_the_choice():
    assert len(set(draws(SamplingOptions(temperature=1.0), logits_of(t7=1.0)))) > 5


def test_one_seed_gives_one_result():
    logits = mx.random.normal((1, VOCAB), key=mx.random.key(0))

    def drawn(seed):
        return draws(SamplingOptions(temperature=1.0, seed=seed), logits)

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)
    assert drawn(None) != drawn(None)


def test_mlx_own_random_state_is_left_alone():
    before = [state.tolist() for state in mx.random.state]
    options = SamplingOptions(temperature=1.0, top_k=3, top_p=0.9, min_p=0.01, seed=1)
    draws(options, logits_of(t7=1.0))
    assert [state.tolist() for state in mx.random.state] == before


@pytest.mark.parametrize(
    "options",
    [{"top_k": 2}, {"top_p": 0.9}, {"min_p": 0.3}, {"top_k": 2, "top_p": 0.99}],
)
def test_filters_keep_the_likely(options):
    logits = logits_of(t7=10.0, t8=9.5)
    assert set(draws(SamplingOptions(temperature=1.0, **options), logits)) == {7, 8}


def test_a_vocabulary_smaller_than_top_k_is_no_error():
    draws(SamplingOptions(temperature=1.0, top_k=VOCAB + 1), logits_of(), count=1)


def test_filters_come_before_the_temperature():
    options = SamplingOptions(temperature=50.0, top_p=0.5)
    assert set(draws(options, logits_of(t7=10.0))) == {7}


@pytest.mark.parametrize(
    "penalty",
    [
        {"repetition_penalty": 2.0},
        {"presence_penalty": 1.0},
        {"frequency_penalty": 0.6},
    ],
)
def test_penalties_see_the_prompt_and_the_answer(penalty):
    logits = logits_of(t7=3.0, t8=2.5)
    options = SamplingOptions(**penalty)
    assert draws(options, logits, count=1) == [7]
    assert draws(options, logits, count=1, prompt=[7, 7]) == [8]
    choose = Chooser(options, vocab_size=VOCAB, prompt=[1])
    choose.saw(mx.array([7, 7]))
    assert choose(logits).item() == 8


def test_penalties_forget_what_is_far_back():
    options = SamplingOptions(presence_penalty=9.0, penalty_context=3)
    logits = logits_of(t7=3.0, t8=2.5)
    assert draws(options, logits, count=1, prompt=[7, 1, 2]) == [8]
    assert draws(options, logits, count=1, prompt=[7, 1, 2, 3]) == [7]
    choose = Chooser(options, vocab_size=VOCAB, prompt=[7, 1])
    for token in (2, 3):
        choose.saw(mx.array([token]))
    assert choose(logits).item() == 7


def test_a_bias_moves_the_choice():
    options = SamplingOptions(logit_bias={7: -20.0, 9: 1.0})
    assert draws(options, logits_of(t7=5.0), count=1) == [9]


def test_a_bias_of_an_unknown_token_is_an_error():
    with pytest.raises(ValueError, match="token 50; the vocabulary ends at 49"):
        SamplingOptions(logit_bias={50: 1.0}).check_vocabulary(VOCAB)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_k", -1),
        ("min_p", 1.5),
        ("repetition_penalty", 0.0),
        ("presence_penalty", float("inf")),
        ("frequency_penalty", float("nan")),
        ("penalty_context", 0),
        ("logit_bias", {-1: 1.0}),
        ("logit_bias", {1: float("nan")}),
        ("seed", -1),
    ],
)
def test_a_value_out_of_range_is_named(field, value):
    with pytest.raises(ValueError, match=field):
        SamplingOptions(**{field: value})


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({}, SamplingOptions()),
        ({"do_sample": False, "temperature": 0.8}, SamplingOptions()),
        ({"do_sample": True}, SamplingOptions(temperature=1.0)),
        (  # GLM-4.5V
            {"do_sample": True, "temperature": 1.0, "top_p": 0.0001, "top_k": 1},
            SamplingOptions(temperature=1.0, top_p=0.0001, top_k=1),
        ),
        (  # GLM-4.6V
            {"do_sample": True, "temperature": 0.8, "top_p": 0.6, "top_k": 2},
            SamplingOptions(temperature=0.8, top_p=0.6, top_k=2),
        ),
        (
            {"repetition_penalty": 1.1, "top_k": None, "eos_token_id": [1, 2]},
            SamplingOptions(repetition_penalty=1.1),
        ),
    ],
)
def test_defaults_come_from_the_generation_config(config, options):
    assert SamplingOptions.from_generation_config(config) == options


def test_a_single_candidate_needs_no_filter():
    options = SamplingOptions(temperature=1.0, top_p=0.0001, top_k=1)
    assert set(draws(options, logits_of(t7=0.1))) == {7}
