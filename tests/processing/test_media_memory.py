"""Files that were read before are not read again, unless they are others now."""

import os

import pytest
from PIL import Image

from mlx_glm45v.errors import MediaError
from mlx_glm45v.messages import DocumentPart, ImagePart, Message, VideoPart
from mlx_glm45v.processing import media_reader
from mlx_glm45v.processing.image_processor import ImageProcessor
from mlx_glm45v.processing.media_memory import MediaMemory
from mlx_glm45v.processing.media_reader import MediaReader
from mlx_glm45v.processing.video_processor import VideoProcessor

CONFIG = {"size": {"shortest_edge": 784, "longest_edge": 10**6}}
IMAGES = ImageProcessor.from_dict(CONFIG)
VIDEOS = VideoProcessor.from_dict(
    {**CONFIG, "video_processor_type": "Glm4vVideoProcessor"}
)


class Counted:
    """A reader and how often it opened a picture."""

    def __init__(self, monkeypatch, max_bytes=10**8):
        self.opened = 0
        self.memory = MediaMemory(max_bytes)
        self.reader = MediaReader(IMAGES, VIDEOS, self.memory)
        load = media_reader.load_image

        def counted(source, **options):
            self.opened += 1
            return load(source, **options)

        monkeypatch.setattr(media_reader, "load_image", counted)

    def read(self, *parts):
        return list(self.reader.read(parts))


@pytest.fixture
def reader(monkeypatch):
    return Counted(monkeypatch)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (56, 84), "red").save(path)
    return path


def test_a_file_is_read_once(reader, picture):
    first, second = (reader.read(ImagePart(picture))[0] for _ in range(2))
    assert reader.opened == 1
    assert second.frames[0].digest == first.frames[0].digest
    assert reader.memory.nbytes == 56 * 84 * 3


def test_a_name_said_otherwise_is_the_same_file(reader, picture, monkeypatch):
    reader.read(ImagePart(picture))
    monkeypatch.chdir(picture.parent)
    reader.read(ImagePart("a.png"))
    assert reader.opened == 1


def test_other_budgets_are_read_anew(reader, picture):
    large, small = (reader.read(ImagePart(picture, most)) for most in (None, 2000))
    assert reader.opened == 2
    assert large[0].frames[0].digest != small[0].frames[0].digest


def test_a_file_that_was_changed_is_read_anew(reader, picture):
    (before,) = reader.read(ImagePart(picture))
    Image.new("RGB", (56, 84), "blue").save(picture)
    os.utime(picture, ns=(1, 1))
    (after,) = reader.read(ImagePart(picture))
    assert reader.opened == 2
    assert before.frames[0].digest != after.frames[0].digest


def test_a_file_that_is_gone_is_said_to_be(reader, picture):
    reader.read(ImagePart(picture))
    picture.unlink()
    with pytest.raises(MediaError, match=r"a\.png"):
        reader.read(ImagePart(picture))


def test_what_has_no_file_is_read_every_time(reader, picture):
    for source in (picture.read_bytes(), Image.open(picture)):
        for _ in range(2):
            reader.read(ImagePart(source))
    assert reader.opened == 4
    assert reader.memory.nbytes == 0


def test_the_file_unused_for_longest_is_forgotten(monkeypatch, tmp_path):
    reader = Counted(monkeypatch, max_bytes=2 * 56 * 84 * 3)
    for name in ("a", "b", "a", "c", "a", "b"):
        path = tmp_path / f"{name}.png"
        if not path.exists():
            Image.new("RGB", (56, 84), "red").save(path)
        reader.read(ImagePart(path))
    assert reader.opened == 4  # a, b, c, and b again
    assert reader.memory.nbytes == 2 * 56 * 84 * 3


def test_what_is_larger_than_all_of_it_is_not_kept(monkeypatch, picture):
    reader = Counted(monkeypatch, max_bytes=100)
    reader.read(ImagePart(picture))
    assert reader.memory.nbytes == 0


def test_a_reader_who_leaves_early_keeps_nothing(reader, picture):
    steps = reader.reader.read([ImagePart(picture), ImagePart(picture)])
    next(steps)
    steps.close()
    assert reader.memory.nbytes == 0


def test_videos_and_documents_too(demo_processor, demo_media, tmp_path, monkeypatch):
    document = tmp_path / "a.pdf"
    pages = [Image.new("RGB", (200, 300), colour) for colour in ("red", "blue")]
    pages[0].save(document, save_all=True, append_images=pages[1:])
    parts = [VideoPart(demo_media / "example.mp4"), DocumentPart(document, pages=[2])]
    message = Message("user", parts)
    first = demo_processor.prompt([message])
    monkeypatch.setattr(MediaReader, "_read", lambda *_: iter(()))
    second = demo_processor.prompt([message])
    assert [s.digest for s in second.spans] == [s.digest for s in first.spans]
    assert second.items == first.items
