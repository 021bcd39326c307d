"""Files with something wrong in them, as bytes."""

import io
import struct
import zlib

import av
import numpy as np
import pillow_heif
from PIL import Image
from pypdfium2 import PdfDocument

NOISE = np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def still(kind: str, image: Image.Image | None = None) -> bytes:
    """A sound picture."""
    file = io.BytesIO()
    image = Image.fromarray(NOISE) if image is None else image
    if kind == "heic":
        pillow_heif.from_pillow(image).save(file)
    else:
        image.save(file, kind)
    return file.getvalue()


def document() -> bytes:
    """A sound PDF of one page."""
    return still("pdf")


def png_of(width: int, height: int) -> bytes:
    """A small PNG that says it has so many pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000), 9)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def webp_of(width: int, height: int) -> bytes:
    """A small lossless WebP that says it has so many pixels."""
    sides = struct.pack("<I", (width - 1) | (height - 1) << 14)
    body = b"VP8L" + struct.pack("<I", 26) + b"\x2f" + sides + bytes(21)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def gif_of(width: int, height: int) -> bytes:
    """A GIF whose screen is so large."""
    real = still("gif")
    return real[:6] + struct.pack("<HH", width, height) + real[10:]


def heic_of(width: int, height: int) -> bytes:
    """A HEIC whose 'ispe' boxes tell such a size."""
    real = bytearray(still("heic"))
    at = real.find(b"ispe")
    while at >= 0:
        real[at + 8 : at + 16] = struct.pack(">II", width, height)
        at = real.find(b"ispe", at + 1)
    return bytes(real)


def sound_only() -> bytes:
    """An MP4 with one track of silence."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=16000, layout="mono")
        silence = np.zeros((1, 16000), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return file.getvalue()


def film_without_frames(kind: str) -> bytes:
    """A video file with a picture track in which nothing is."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    return file.getvalue()


def encrypted_document() -> bytes:
    """A PDF behind a password: the standard handler's dictionary with odd keys."""
    lock = (
        b"<< /Filter /Standard /V 1 /R 2 /Length 40 /P -44 "
        b"/O <" + b"ab" * 32 + b"> /U <" + b"cd" * 32 + b"> >>"
    )
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>",
        lock,
    )
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + (
        b"xref\n0 5\n0000000000 65535 f \n%btrailer\n<< /Size 5 /Root 1 0 R /Encrypt "
        b"4 0 R /ID [<00><00>] >>\nstartxref\n%d\n%%%%EOF\n" % (table, len(body))
    )


def document_without_pages() -> bytes:
    """A PDF whose page tree is empty."""
    file = io.BytesIO()
    PdfDocument.new().save(file)
    return file.getvalue()
