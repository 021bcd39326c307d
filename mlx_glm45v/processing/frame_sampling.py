"""Which frames of a video a checkpoint looks at.

Knows times and indices. Does not know pixels or files. At a constant rate the indices
are those of transformers' `sample_frames`; at a variable one the same rule is applied
to the real time stamps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from mlx_glm45v.media.videos import VideoInfo

# Half of a millisecond: containers store rounded time stamps.
ROUNDING = 5e-4
# No video shows more frames a second; a higher rate asked for takes each frame all the
# same, and counting its beats would take for ever.
DENSEST = 1000.0


class SamplingRule(Protocol):
    """Chooses frames and says how their time is written."""

    def indices(self, info: VideoInfo, *, fps: float | None = None) -> list[int]:
        """Frame indices, rising, an even number of them (the last may be doubled)."""
        ...

    def time_text(self, seconds: float) -> str:
        """What stands behind a frame pair in the prompt."""
        ...


@dataclass(frozen=True)
class EvenRate:
    """GLM-4.5V: `fps` frames a second, from `max_duration` on thinned out evenly.

    Source: transformers' `Glm4vVideoProcessor.sample_frames`.
    """

    fps: float = 2.0
    max_duration: float = 300.0

    def indices(self, info: VideoInfo, *, fps: float | None = None) -> list[int]:
        rate = min(self.fps if fps is None else fps, DENSEST)
        if info.duration <= self.max_duration:
            count = max(math.floor(info.duration * rate), 1)
            chosen = [_first_at(info, step, rate) for step in range(count)]
        else:
            count = int(self.max_duration * rate)
            if count >= len(info):
                chosen = list(range(len(info)))
            else:
                spaced = np.linspace(0, info.duration, count).tolist()
                chosen = [_first_at(info, seconds, 1) for seconds in spaced]
        return _in_pairs(chosen)

    def time_text(self, seconds: float) -> str:
        return str(int(seconds))


@dataclass(frozen=True)
class SteppedRate:
    """GLM-4.6V: fewer frames a second the longer a video is, `max_frames` at most.

    `steps` are (up to so many seconds, frames a second); beyond the last one its rate
    stays and its seconds cap the count. Source: transformers'
    `Glm46VVideoProcessor.sample_frames`, which counts frame pairs a second (3, 1, 0.5)
    and ignores an `fps` asked for; here `fps` replaces the step's frames a second.
    """

    steps: tuple[tuple[float, float], ...] = ((30, 6.0), (300, 2.0), (2400, 1.0))
    max_frames: int = 640

    def indices(self, info: VideoInfo, *, fps: float | None = None) -> list[int]:
        seconds = min(info.duration, self.steps[-1][0])
        step = next(rate for limit, rate in self.steps if seconds <= limit)
        rate = step if fps is None else fps
        # The reference fails on videos of less than one sample; one frame is one.
        count = min(max(int(seconds * rate), 1), self.max_frames)
        last = len(info) - 1
        if len(info) < count:
            return _in_pairs(_spread(info, 0, last, count))
        chosen = self._by_the_clock(info, 1 / rate)
        if len(chosen) < count:
            chosen = _spread(info, chosen[0], chosen[-1], count)
        elif len(chosen) > count:
            chosen = _spread(info, 0, last, count)
        return _in_pairs(chosen)

    @staticmethod
    def _by_the_clock(info: VideoInfo, gap: float) -> list[int]:
        """The first frame from each beat of a clock on, while whole seconds last."""
        if info.rate is None:
            times = info.times + ROUNDING
        else:
            times = np.arange(len(info)) * (1 / info.rate)
        end, due, chosen = int(info.duration), 0.0, []
        for index, seconds in enumerate(times.tolist()):
            if seconds >= due:
                due += gap
                chosen.append(index)
                if due >= end:
                    break
        return chosen

    def time_text(self, seconds: float) -> str:
        return f"{seconds:.1f} seconds"


def seconds_at(info: VideoInfo, index: int) -> float:
    """When a frame is shown: index / rate, or its time stamp where the rate varies."""
    return float(info.times[index]) if info.rate is None else index / info.rate


def _first_at(info: VideoInfo, count: float, per_second: float) -> int:
    """The first frame at or after count / per_second seconds, or the last one.

    The constant case multiplies before it divides, as the reference does.
    """
    last = len(info) - 1
    if info.rate is not None:
        return min(last, math.ceil(count * info.rate / per_second))
    due = count / per_second - ROUNDING
    return min(last, int(np.searchsorted(info.times, due)))


def _spread(info: VideoInfo, start: int, end: int, count: int) -> list[int]:
    """`count` frames evenly from `start` to `end`: by time where the rate varies."""
    if info.rate is not None:
        return np.linspace(start, end, count, dtype=int).tolist()
    due = np.linspace(info.times[start], info.times[end], count) + ROUNDING
    return (np.searchsorted(info.times, due, side="right") - 1).tolist()


def _in_pairs(indices: list[int]) -> list[int]:
    """Without repetitions; the last one twice where their number is odd."""
    unique = list(dict.fromkeys(indices))
    return unique + unique[-1:] if len(unique) % 2 else unique
