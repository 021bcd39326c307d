"""One pass over the packets of a video file: time stamps, and whether all are there.

Knows what containers tell without decoding. Does not know rates, durations or pixels.
"""

from __future__ import annotations

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from mlx_glm45v.errors import MediaError

# Formats whose header tells how long they are; FFmpeg guesses it for others.
TIMED_FORMATS = ("matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "avi")
GIF_TRAILER = b";"


class Scan:
    """What one pass over all packets tells.

    `ticks` maps each picture's time stamp to its duration, `keys` are the stamps where
    decoding can begin, `first` is the first frame.
    """

    def __init__(self) -> None:
        self.ticks: dict[int, int] = {}
        self.keys: set[int] = set()
        self.first: VideoFrame | None = None
        self.end = 0.0
        self.picture_end = 0.0
        self.last_is_corrupt = False
        self.last_byte = b""

    def add(self, packet: Packet, stream: VideoStream) -> None:
        """Take note of the next packet of any track; `stream` has the pictures."""
        tick = packet.dts if packet.pts is None else packet.pts
        end = 0.0
        if tick is not None and packet.time_base is not None:
            end = float((tick + (packet.duration or 0)) * packet.time_base)
            self.end = max(self.end, end)
        if packet.stream is not stream:
            return
        self.picture_end = max(self.picture_end, end)
        if packet.size:
            self.last_is_corrupt = packet.is_corrupt
            self.last_byte = bytes(memoryview(packet)[-1:])
        if self.first is None:
            self.first = next(iter(stream.decode(packet)), None)
        if tick is None or packet.is_discard:
            return
        self.ticks[tick] = packet.duration or 0
        if packet.is_keyframe:
            self.keys.add(tick)

    def check_complete(
        self, container: InputContainer, stream: VideoStream, name: str
    ) -> None:
        """Refuse a file that ends before its header says, as broken downloads do.

        Raises:
            MediaError: it ends early, or within a frame.
        """
        kind = container.format.name
        declared = end = 0.0
        if kind in TIMED_FORMATS and stream.duration and stream.time_base:
            ticks = stream.duration + (stream.start_time or 0)
            declared, end = float(ticks * stream.time_base), self.picture_end
        elif kind in TIMED_FORMATS and container.duration:
            start = max(container.start_time or 0, 0)
            declared, end = (container.duration + start) / av.time_base, self.end
        if end < declared - max(0.5, 0.05 * declared):
            raise MediaError(
                f"{name} ends after {end:.1f} of {declared:.1f} s: the file is not "
                "complete. Download or record it again"
            )
        cut = kind == "gif" and self.last_byte != GIF_TRAILER
        if cut or self.last_is_corrupt:
            raise MediaError(
                f"{name} ends within a frame, after {self.end:.1f} s: the file is not "
                "complete. Download or record it again"
            )
