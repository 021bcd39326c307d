"""Frames of a video file, one at a time, upright RGB.

Knows containers, time stamps, key frames, rotation. Does not know which frames a model
wants nor at which size. A file is opened twice: `probe` walks through its packets,
`read_frames` decodes what is needed; at no time is more than one decoded picture held
here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from mlx_glm45v.errors import MediaError
from mlx_glm45v.media.containers import (
    check_frame_size,
    opened,
    picture_track,
    poll,
    tick_of,
    to_picture,
    turn_of,
)
from mlx_glm45v.media.fetch import DEFAULT_LIMITS, FetchLimits
from mlx_glm45v.media.packets import Scan
from mlx_glm45v.media.sources import source_name


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """What a file's packets tell about its picture track.

    `width` and `height` are upright pixels. `times` holds each frame's seconds from the
    first one, in the order of showing; `duration` ends with the last frame. `rate` is
    the frames a second when they are constant (time stamps rounded to the container's
    clock count as such), else None. `ticks` are the same time stamps by that clock,
    `key_ticks` those at which decoding can begin.
    """

    name: str
    width: int
    height: int
    times: np.ndarray[Any, np.dtype[np.float64]]
    rate: float | None
    duration: float
    ticks: np.ndarray[Any, np.dtype[np.int64]]
    key_ticks: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.times)


def probe(
    source: Any,
    *,
    name: str | None = None,
    limits: FetchLimits = DEFAULT_LIMITS,
    should_stop: Callable[[], bool] | None = None,
) -> VideoInfo:
    """Read through a video's packets and decode its first frame.

    `source` is a path, the file's bytes, or a `data:` or `http(s)://` address;
    `name` is what messages call it.

    Raises:
        MediaError: no video file, no picture track, nothing decodable, too large a
            picture, or the file ends long before its header says.
        Cancelled: `should_stop` returned True.
    """
    name = source_name(source) if name is None else name
    with opened(source, name, limits, should_stop) as container:
        stream = picture_track(container, name)
        scan = Scan()
        for packet in container.demux():
            poll(should_stop, name)
            scan.add(packet, stream)
        if scan.first is None or not scan.ticks:
            raise MediaError(
                f"{name} has a picture track without any frame. Give another video"
            )
        scan.check_complete(container, stream, name)
        return _describe(stream, scan, scan.first, name)


def _describe(
    stream: VideoStream, scan: Scan, first: VideoFrame, name: str
) -> VideoInfo:
    check_frame_size(first.width, first.height, name)
    turn = turn_of(first)
    sides = first.width, first.height
    swapped = turn is not None and Image.new("1", (1, 2)).transpose(turn).width == 2
    width, height = reversed(sides) if swapped else sides
    time_base = stream.time_base or Fraction(1)
    ticks = np.array(sorted(scan.ticks), np.int64)
    times = (ticks - ticks[0]) * float(time_base)
    rate = _constant_rate(times, stream, float(time_base))
    if rate is None:
        last = scan.ticks[int(ticks[-1])] * float(time_base)
        duration = float(times[-1]) + (last or _usual_gap(times))
    else:
        duration = float(len(times) / rate)
    return VideoInfo(
        name=name,
        width=width,
        height=height,
        times=times,
        rate=None if rate is None else float(rate),
        duration=duration,
        ticks=ticks,
        key_ticks=tuple(sorted(scan.keys)),
    )


def _constant_rate(
    times: np.ndarray[Any, Any], stream: VideoStream, tick: float
) -> Fraction | None:
    """The declared rate that puts every frame where its time stamp is, if one does."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if not rate:
            continue
        slack = max(2 * tick, 0.1 / float(rate))
        places = np.arange(len(times)) / float(rate)
        if float(np.abs(times - places).max()) <= slack:
            return rate
    return None


def _usual_gap(times: np.ndarray[Any, Any]) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def read_frames(
    source: Any,
    indices: Sequence[int],
    *,
    info: VideoInfo,
    limits: FetchLimits = DEFAULT_LIMITS,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[Image.Image]:
    """Frames of the file that `info` describes, upright RGB, one for each index.

    `indices` count frames in the order of showing and must not fall. Long gaps are
    jumped over by key frames.

    Raises:
        MediaError: the file cannot be decoded where a frame is needed.
        Cancelled: `should_stop` returned True.
    """
    with opened(source, info.name, limits, should_stop) as container:
        stream = picture_track(container, info.name)
        stream.thread_type = "AUTO"
        reader = _Reader(container, stream, info, should_stop)
        last, picture = -1, None
        for index in indices:
            if index != last or picture is None:
                last, picture = index, to_picture(reader.frame_at(index))
            yield picture


class _Reader:
    """Decodes forwards and jumps ahead when a key frame lies on the way."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        info: VideoInfo,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self._container = container
        self._stream = stream
        self._info = info
        self._should_stop = should_stop
        self._frames = self._decode()
        self._current: VideoFrame | None = None

    def frame_at(self, index: int) -> VideoFrame:
        tick = int(self._info.ticks[index])
        here = tick_of(self._current)
        keys = self._info.key_ticks
        before = bisect_right(keys, tick) - 1
        jump = before > 0 and (here is None or here < keys[before])
        if jump:
            self._seek(keys[before])
        self._advance(tick)
        reached = tick_of(self._current)
        if jump and (reached is None or reached > tick):
            # The container's index led behind the frame: read from the beginning.
            self._seek(int(self._info.ticks[0]))
            self._advance(tick)
        if self._current is None:
            raise MediaError(
                f"{self._info.name}: no frame can be decoded at "
                f"{self._info.times[index]:.1f} s. Convert the file to MP4 (H.264)"
            )
        return self._current

    def _advance(self, tick: int) -> None:
        while (here := tick_of(self._current)) is None or here < tick:
            following = next(self._frames, None)
            if following is None:
                return
            self._current = following

    def _seek(self, tick: int) -> None:
        self._container.seek(tick, stream=self._stream, backward=True)
        self._frames = self._decode()
        self._current = None

    def _decode(self) -> Iterator[VideoFrame]:
        for packet in self._container.demux(self._stream):
            poll(self._should_stop, self._info.name)
            yield from self._stream.decode(packet)
