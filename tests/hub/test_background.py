"""Jobs run beside the caller, who hears of errors and can stop them."""

from __future__ import annotations

import threading
import time

import pytest

from mlx_glm45v.errors import Cancelled
from mlx_glm45v.hub.background import Background, Job, run_jobs


def test_all_jobs_run_and_ticks_come_from_the_callers_thread():
    done: list[int] = []
    ticks: list[int] = []

    def job(number: int) -> Job:
        return lambda _stop: done.append(number)

    run_jobs(
        [job(number) for number in range(7)],
        workers=3,
        on_tick=lambda: ticks.append(threading.get_ident()),
    )
    assert sorted(done) == list(range(7))
    assert set(ticks) == {threading.get_ident()}


def test_no_jobs_are_no_work():
    run_jobs([])


def test_an_error_ends_the_others_and_is_raised():
    ended: list[bool] = []

    def waits(stop: threading.Event) -> None:
        ended.append(stop.wait(10))

    def fails(_stop: threading.Event) -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        run_jobs([waits, fails, waits, waits], workers=2)
    assert ended == [True]


def test_a_stuck_job_does_not_hold_up_stopping():
    stuck = threading.Event()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        run_jobs(
            [lambda _stop: stuck.wait(20) and None], should_stop=lambda: True, workers=1
        )
    assert time.monotonic() - started < 1.0
    stuck.set()


def test_a_background_job_runs_while_its_caller_does_not_wait():
    begun, ticked = threading.Event(), threading.Event()

    def runs(_stop: threading.Event) -> None:
        begun.set()
        assert ticked.wait(10)

    job = Background(runs)
    assert begun.wait(10)
    job.wait(on_tick=ticked.set)
    job.wait()


def test_a_background_jobs_error_is_raised_where_it_is_waited_for():
    def fails(_stop: threading.Event) -> None:
        raise OSError("no")

    job = Background(fails)
    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            job.wait()


def test_waiting_can_be_stopped_and_stuck_jobs_left():
    stuck, told = threading.Event(), threading.Event()

    def heeds(stop: threading.Event) -> None:
        told.set() if stop.wait(20) else None

    jobs = [Background(heeds), *[Background(lambda _: stuck.wait(20) and None)] * 2]
    started = time.monotonic()
    with pytest.raises(Cancelled):
        jobs[1].wait(should_stop=lambda: True)
    Background.end(jobs)
    assert time.monotonic() - started < 1.0
    assert told.is_set()
    stuck.set()
