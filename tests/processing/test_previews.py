"""People see the frames and pages that the model will see."""

import pytest
from PIL import Image

from mlx_glm45v.errors import MediaError
from mlx_glm45v.messages import DocumentPart, ImagePart, Message, VideoPart
from mlx_glm45v.processing.measure import measure
from mlx_glm45v.processing.previews import previews
from tests.media.conftest import make_film
from tests.processing.test_measure import encoded, pdf


def test_a_picture_is_shown_small_and_upright(demo_processor):
    part = ImagePart(encoded(300, 200, orientation=6))
    (shown,) = previews(demo_processor, part, side=90)
    assert shown.picture.size == (60, 90)


def test_a_video_is_shown_by_the_seconds_that_the_prompt_has(demo_processor):
    part = VideoPart(make_film(frames=40, rate=10))
    (video,) = measure(demo_processor, [Message("user", [part])]).media
    shown = list(previews(demo_processor, part, side=32))
    assert tuple(each.seconds for each in shown) == video.seconds
    assert {each.picture.size for each in shown} == {(32, 24)}


def test_a_strip_has_at_most_so_many(demo_processor):
    part = VideoPart(make_film(frames=100, rate=10))
    shown = list(previews(demo_processor, part, side=32, most=3))
    assert [each.seconds for each in shown] == [0.0, 3.0, 6.0]


def test_single_frames_can_be_asked_for_by_their_places(demo_processor):
    part = VideoPart(make_film(frames=100, rate=10))
    seconds = [each.seconds for each in previews(demo_processor, part, side=32)]
    shown = previews(demo_processor, part, side=32, places=(1, 3, 400))
    assert [each.seconds for each in shown] == [seconds[1], seconds[3]]


def test_single_pages_can_be_asked_for_by_their_places(demo_processor):
    part = DocumentPart(pdf((200, 100), (100, 200), (50, 50)), pages=(2, 3))
    (shown,) = previews(demo_processor, part, side=64, places=(1,))
    assert shown.page == 3
    assert list(previews(demo_processor, part, side=64, places=(2,))) == []


def test_a_document_is_shown_by_its_pages(demo_processor):
    part = DocumentPart(pdf((200, 100), (100, 200), (50, 50)), pages=(2, 3))
    shown = list(previews(demo_processor, part, side=64))
    assert [each.page for each in shown] == [2, 3]
    assert shown[0].picture.size == (32, 64)


def test_loose_frames_are_pictures_already(demo_processor):
    part = VideoPart([Image.new("RGB", (56, 56))], times=(0.0,))
    with pytest.raises(MediaError, match="pictures already"):
        list(previews(demo_processor, part, side=32))
