from contextlib import ExitStack

import mlx.core as mx
import pytest

from mlx_glm45v.generation import reuse
from mlx_glm45v.generation.limits import (
    free_bytes,
    kv_bytes,
    working_limits,
)
from mlx_glm45v.generation.reuse import GenerationCache
from mlx_glm45v.memory import request
from tests.generation.fakes import ScriptedModel, make_prompt
from tests.generation.small_model import tokens

GB = 10**9
# What Metal recommends, about, of 32 to 512 GB.
RECOMMENDED = {32: 22 * GB, 64: 48 * GB, 96: 72 * GB, 192: 144 * GB, 512: 464 * GB}


class Limits:
    """The limits of a Mac that is not there, and all that were set, in order."""

    def __init__(self) -> None:
        self.recommended = RECOMMENDED[96]
        self.wired, self.cache = [0], [7 * GB]

    def set_wired(self, limit: int) -> int:
        self.wired.append(limit)
        return self.wired[-2]

    def set_cache(self, limit: int) -> int:
        self.cache.append(limit)
        return self.cache[-2]

    def info(self) -> dict:
        return {"max_recommended_working_set_size": self.recommended}


@pytest.fixture
def limits(monkeypatch) -> Limits:
    limits = Limits()
    monkeypatch.setattr(mx.metal, "is_available", lambda: True)
    monkeypatch.setattr(mx, "device_info", limits.info)
    monkeypatch.setattr(mx, "set_wired_limit", limits.set_wired)
    monkeypatch.setattr(mx, "set_cache_limit", limits.set_cache)
    return limits


def resident(added):
    """What stays resident while work adds so much: two gigabytes are room for it."""
    return mx.get_active_memory() + added + 2 * 2**30


def test_the_limits_hold_within_and_are_restored(limits):
    with working_limits(1000):
        assert limits.wired == [0, resident(1000)]
        assert limits.cache == [7 * GB, 2 * 2**30]
    assert limits.wired == [0, resident(1000), 0]
    assert limits.cache[-1] == 7 * GB


def test_an_error_restores_the_limits(limits):
    with pytest.raises(KeyError), working_limits(1000):
        raise KeyError
    assert (limits.wired[-1], limits.cache[-1]) == (0, 7 * GB)


@pytest.mark.parametrize("others", [0, 1])
def test_a_wired_limit_that_is_refused_leaves_the_limits_as_they_were(
    limits, monkeypatch, others
):
    with ExitStack() as at_work:
        for _ in range(others):
            at_work.enter_context(working_limits(RECOMMENDED[96] - 3 * GB))
        before = limits.wired[-1], limits.cache[-1]
        with monkeypatch.context() as patch:
            patch.setattr(mx, "set_wired_limit", raising(RuntimeError))
            with pytest.raises(RuntimeError), working_limits(1000 * GB):
                pass
        assert (limits.wired[-1], limits.cache[-1]) == before
    assert (limits.wired[-1], limits.cache[-1]) == (0, 7 * GB)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("ended", [True, False])
def test_an_error_while_work_is_waited_for_restores_the_limits(
    limits, monkeypatch, error, ended
):
    def work():
        with working_limits(1000):
            if not ended:
                raise KeyError

    monkeypatch.setattr(mx, "synchronize", raising(error))
    with pytest.raises(error):
        work()
    assert (limits.wired[-1], limits.cache[-1]) == (0, 7 * GB)


def raising(error):
    """What raises `error` whenever it is called."""

    def call(*_):
        raise error

    return call


def test_a_reader_who_leaves_restores_the_limits(limits):
    def work():
        with working_limits(1000):
            yield 1
            yield 2

    events = work()
    next(events)
    events.close()
    assert (limits.wired[-1], limits.cache[-1]) == (0, 7 * GB)


@pytest.mark.parametrize("first_ends", ["first", "last"])
def test_works_that_overlap_share_limits_and_the_last_restores_them(limits, first_ends):
    first, second = working_limits(10 * GB), working_limits(12 * GB)
    first.__enter__()
    second.__enter__()
    ends = [first, second] if first_ends == "first" else [second, first]
    ends[0].__exit__(None, None, None)
    assert (limits.wired[-1], limits.cache[-1]) == (resident(22 * GB), 2 * 2**30)
    ends[1].__exit__(None, None, None)
    assert (limits.wired[-1], limits.cache[-1]) == (0, 7 * GB)


def test_all_that_works_which_overlap_may_add_stays_resident(limits):
    with working_limits(12 * GB), working_limits(10 * GB):
        assert limits.wired[-1] == resident(22 * GB)
    with working_limits(10 * GB):
        assert limits.wired[-1] == resident(10 * GB)


def test_an_answer_may_be_collected_while_another_begins(limits, monkeypatch):
    """Python collects at any step of this thread's."""
    gone = working_limits(10 * GB)
    gone.__enter__()
    set_cache = mx.set_cache_limit

    def collecting(limit):
        monkeypatch.setattr(mx, "set_cache_limit", set_cache)
        gone.__exit__(None, None, None)
        return set_cache(limit)

    monkeypatch.setattr(mx, "set_cache_limit", collecting)
    with working_limits(12 * GB):
        assert limits.wired[-1] == resident(22 * GB)
    assert (limits.wired[-1], limits.cache[-1]) == (0, 7 * GB)


@pytest.mark.parametrize("memory", RECOMMENDED)
@pytest.mark.parametrize("added", [20 * GB, 70 * GB, 300 * GB, 900 * GB])
def test_metals_recommendation_is_never_exceeded(limits, memory, added):
    limits.recommended = RECOMMENDED[memory]
    with working_limits(added):
        wired, spare = limits.wired[-1], limits.cache[-1]
    assert wired == min(resident(added), RECOMMENDED[memory])
    assert 128 * 2**20 <= spare <= 2 * 2**30
    assert wired + spare <= RECOMMENDED[memory] + 128 * 2**20


def test_nothing_is_set_without_metal(limits, monkeypatch):
    monkeypatch.setattr(mx.metal, "is_available", lambda: False)
    with working_limits(1000):
        pass
    assert (len(limits.wired), len(limits.cache)) == (1, 1)


def test_a_request_counts_its_cache(demo):
    config = demo[0].config.text_config
    per_token = kv_bytes(config, tokens=1000) // 1000
    # keys and values, 16 bits each
    heads = config.num_key_value_heads * config.size_of_head
    assert per_token == 2 * config.num_hidden_layers * heads * 2


@pytest.mark.parametrize(("free", "kept"), [(3 * GB, 3), (1 * GB, 1)])
def test_kept_conversations_leave_for_a_request_that_lacks_memory(limits, free, kept):
    """Room for a request's work is two gigabytes and its own cache."""
    limits.recommended = mx.get_active_memory() + 100 * GB
    model = ScriptedModel()
    cache = GenerationCache(model)
    for start in (1, 2):
        prompt = make_prompt([start] * 9)
        tokens(model, prompt, cache=cache.conversation(prompt, rope_length=60))
    assert len(cache) == 2
    limits.recommended = mx.get_active_memory() + free
    cache.conversation(make_prompt([3] * 9), rope_length=60)
    assert len(cache) == kept


@pytest.mark.parametrize(("lacking", "kept"), [(1, "123"), (3, "13"), (9, "1")])
def test_features_leave_after_other_conversations(limits, lacking, kept):
    """The oldest first, no more of them than lack, and none that the prompt shows."""
    limits.recommended = mx.get_active_memory() + 100 * GB
    cache = GenerationCache(ScriptedModel())
    fill(cache.conversation(make_prompt([1] * 9), rope_length=60))
    for name in "123":
        cache.features.put((name, (1, 4, 4)), evaluated((1, 2**18)))  # one each
    mx.clear_cache()
    room = 2 * 2**30 + kv_bytes(cache._model.config.text_config, tokens=60)
    limits.recommended = mx.get_active_memory() + room - lacking * 2**20
    prompt = make_prompt([3] * 9, ("image", 1, (4, 4)), [3])
    cache.conversation(prompt, rope_length=60)
    assert len(cache) == 1
    left = [name for name in "123" if cache.features.get((name, (1, 4, 4))) is not None]
    assert "".join(left) == kept
    assert cache.features.nbytes == len(kept) * 2**20


def fill(cache):
    """Has `cache` hold a little more than two megabytes."""
    prompt = make_prompt([1] * 2**12)
    shape = (1, 1, len(prompt), 24)
    with cache.working(prompt, rope_length=60):
        for layer in cache.layers:
            layer.update_and_fetch(evaluated(shape), evaluated(shape))
        cache.advance(prompt.token_ids.tolist())


def evaluated(shape):
    zeros = mx.zeros(shape)
    mx.eval(zeros)
    return zeros


def test_the_planner_knows_what_may_be_kept():
    assert reuse.KEPT_TOKENS == request.KEPT_TOKENS
    assert reuse.KEPT_FEATURE_BYTES == request.KEPT_FEATURE_BYTES


def test_without_metal_the_memory_that_the_system_would_give_is_free():
    """A machine that runs this has a megabyte, and no petabyte."""
    assert 2**20 < free_bytes() < 2**50
