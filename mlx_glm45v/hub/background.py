"""Blocking jobs run in threads while the caller watches and may stop them.

Knows threads and `should_stop`. Does not know what the jobs do: they are given an event
and look at it at least once per piece of work.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from ..errors import Cancelled
from ..progress import ShouldStop

Job = Callable[[threading.Event], None]

_POLL_SECONDS = 0.05
_GRACE_SECONDS = 0.5


def run_jobs(
    jobs: Sequence[Job],
    *,
    workers: int = 1,
    should_stop: ShouldStop | None = None,
    on_tick: Callable[[], None] | None = None,
) -> None:
    """Run all jobs, at most `workers` at a time; return when the last has ended.

    `should_stop` and `on_tick` are called in the caller's thread about twenty times a
    second. The first job that raises ends the others, and its error is raised here.
    Raises `Cancelled` within a second of `should_stop`; a job that is stuck in a system
    call then ends by its own timeout, with its event set so that it touches nothing
    more.
    """
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    with _threads(waiting, ended, count=min(workers, len(jobs))):
        left = len(jobs)
        while left:
            try:
                error = ended.get(timeout=_POLL_SECONDS)
                left -= 1
            except queue.Empty:
                error = None
            if error is not None:
                raise error
            if on_tick is not None:
                on_tick()
            if should_stop is not None and should_stop():
                raise Cancelled("stopped")


class Background:
    """One job that runs while the caller does other work, and is waited for later."""

    def __init__(self, job: Job) -> None:
        """Begin at once."""
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        # A daemon, as in `run_jobs`.
        self._thread = threading.Thread(target=self._run, args=(job,), daemon=True)
        self._thread.start()

    def wait(
        self,
        *,
        should_stop: ShouldStop | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> None:
        """Return when the job has ended; raise its error, or `Cancelled`.

        `should_stop` and `on_tick` are called as by `run_jobs`.
        """
        while not self._ended.wait(_POLL_SECONDS):
            if on_tick is not None:
                on_tick()
            if should_stop is not None and should_stop():
                raise Cancelled("stopped")
        if self._error is not None:
            raise self._error

    @staticmethod
    def end(jobs: Collection[Background]) -> None:
        """Tell jobs to stop, and wait for them a little."""
        for job in jobs:
            job._stop.set()
        for job in jobs:
            job._thread.join(_GRACE_SECONDS / len(jobs))

    def _run(self, job: Job) -> None:
        try:
            job(self._stop)
        except BaseException as error:  # raised again by `wait`
            self._error = error
        finally:
            self._ended.set()


@contextmanager
def _threads(
    waiting: queue.SimpleQueue[Job],
    ended: queue.SimpleQueue[BaseException | None],
    *,
    count: int,
) -> Iterator[None]:
    """Worker threads that are told to stop, and waited for, when the block is left."""
    stop = threading.Event()
    # Daemons: a stuck connection must not hold up the end of the process.
    threads = [
        threading.Thread(target=_work, args=(waiting, ended, stop), daemon=True)
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(_GRACE_SECONDS / count)


def _work(
    waiting: queue.SimpleQueue[Job],
    ended: queue.SimpleQueue[BaseException | None],
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            job = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            job(stop)
        except BaseException as error:  # raised again in the caller's thread
            ended.put(error)
            return
        ended.put(None)
