import pytest
from demo_training.schedule import Schedule


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 0.5e-3), (1, 1e-3), (50, 1e-3), (99, 1e-5), (500, 1e-5)]
)
def test_the_rate_rises_stays_and_falls(step, rate):
    schedule = Schedule(100, peak=1e-3, warmup=2)
    assert schedule.rate(step) == pytest.approx(rate, rel=0.3)


def test_before_the_fall_nothing_depends_on_the_number_of_steps():
    short, long = Schedule(1000), Schedule(5000)
    assert [short.rate(step) for step in range(600)] == [
        long.rate(step) for step in range(600)
    ]
