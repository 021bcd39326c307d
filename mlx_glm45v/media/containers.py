"""Video containers, opened with FFmpeg's libraries, and their frames as pictures.

Knows which formats are safe to open, where the picture track is, rotation and colours.
Does not know which frames anybody wants.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from mlx_glm45v.errors import Cancelled, MediaError
from mlx_glm45v.media.fetch import FetchLimits
from mlx_glm45v.media.rgb import to_rgb
from mlx_glm45v.media.sources import open_source

MAX_FRAME_PIXELS = 8192 * 8192
# Real containers only: playlists and concat scripts could name other files and
# addresses.
FORMATS = "mov,mp4,matroska,webm,gif,avi,mpegts,mpeg,flv,ogg,asf,apng,webp_anim"
# A picture's place on the screen by the signs of its display matrix (a, b, c, d).
TURNS = {
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}


def tick_of(frame: VideoFrame | None) -> int | None:
    if frame is None:
        return None
    return frame.dts if frame.pts is None else frame.pts


def to_picture(frame: VideoFrame) -> Image.Image:
    see_through = any(part.is_alpha for part in frame.format.components)
    pixels = frame.to_ndarray(format="rgba" if see_through else "rgb24")
    picture = to_rgb(Image.fromarray(pixels))
    turn = turn_of(frame)
    return picture if turn is None else picture.transpose(turn)


def turn_of(frame: VideoFrame) -> Image.Transpose | None:
    """What shows a frame upright, from its display matrix (ISO 14496-12, 16.16)."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    matrix = struct.unpack("=9i", bytes(data)[:36])
    a, b, c, d = (round(matrix[at] / 65536) for at in (0, 1, 3, 4))
    return TURNS.get((a, b, c, d))


@contextmanager
def opened(
    source: Any,
    name: str,
    limits: FetchLimits,
    should_stop: Callable[[], bool] | None,
) -> Iterator[InputContainer]:
    """The container, with FFmpeg's errors told as ours for as long as it is open."""
    with open_source(source, limits=limits, should_stop=should_stop) as file:
        try:
            with av.open(
                file,
                mode="r",
                container_options={"format_whitelist": FORMATS},
                metadata_errors="replace",
            ) as container:
                yield container
        except FFmpegError as error:
            raise MediaError(
                f"{name} cannot be read as a video ({error.strerror}). "
                "Check that it plays, or convert it to MP4 (H.264)"
            ) from error


def picture_track(container: InputContainer, name: str) -> VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            check_frame_size(stream.width, stream.height, name)
            # What the header hides, the decoder refuses before it takes memory.
            stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
            return stream
    raise MediaError(
        f"{name} has no picture track, only {len(container.streams)} of other kinds. "
        "Give a video with pictures"
    )


def check_frame_size(width: int, height: int, name: str) -> None:
    if width * height > MAX_FRAME_PIXELS:
        raise MediaError(
            f"{name} has frames of {width}x{height} = {width * height:,} pixels, the "
            f"limit is {MAX_FRAME_PIXELS:,}. Convert it to a smaller size"
        )


def poll(should_stop: Callable[[], bool] | None, name: str) -> None:
    if should_stop is not None and should_stop():
        raise Cancelled(f"stopped while reading {name}")
