import mlx.core as mx
import pytest

from mlx_glm45v.generation.wired import request_bytes, wired

RECOMMENDED = 70_000_000_000


@pytest.fixture
def limits(monkeypatch) -> list[int]:
    """Metal as a Mac of 96 GB reports it; the limits that were set, in order."""
    seen = [0]

    def set_limit(limit: int) -> int:
        seen.append(limit)
        return seen[-2]

    monkeypatch.setattr(mx.metal, "is_available", lambda: True)
    monkeypatch.setattr(
        mx,
        "device_info",
        lambda: {"max_recommended_working_set_size": RECOMMENDED},
    )
    monkeypatch.setattr(mx, "set_wired_limit", set_limit)
    return seen


def test_the_limit_holds_within_and_is_restored(limits):
    with wired(1000):
        assert limits == [0, 1000]
    assert limits == [0, 1000, 0]


def test_an_error_restores_the_limit(limits):
    with pytest.raises(KeyError), wired(1000):
        raise KeyError
    assert limits[-1] == 0


def test_a_reader_who_leaves_restores_the_limit(limits):
    def work():
        with wired(1000):
            yield 1
            yield 2

    events = work()
    next(events)
    events.close()
    assert limits[-1] == 0


def test_metals_recommendation_is_never_exceeded(limits):
    with wired(10 * RECOMMENDED):
        assert limits[-1] == RECOMMENDED


def test_nothing_is_set_without_metal(monkeypatch):
    monkeypatch.setattr(mx.metal, "is_available", lambda: False)
    monkeypatch.setattr(mx, "set_wired_limit", lambda _: pytest.fail("it was set"))
    with wired(1000):
        pass


def test_a_request_counts_its_cache(demo):
    config = demo[0].config.text_config
    per_token = (
        request_bytes(config, tokens=1001) - request_bytes(config, tokens=1)
    ) // 1000
    # keys and values, 16 bits each
    heads = config.num_key_value_heads * config.size_of_head
    assert per_token == 2 * config.num_hidden_layers * heads * 2
