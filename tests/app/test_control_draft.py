"""What stands in the composer, with the real media worker and no window."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from app.control.budgets import DETAILS, Own
from app.control.draft import Draft
from app.conversation import Attachment, Turn
from app.settings import Settings
from app.store import Media
from app.workers.media import MediaWorker
from tests.app.real_app import CLIP, PICTURE
from tests.processing.test_measure import pdf


@pytest.fixture(scope="module")
def worker(qapp, tmp_path_factory):
    worker = MediaWorker(tmp_path_factory.mktemp("previews"), qapp)
    yield worker
    worker.close()
    worker.deleteLater()


@pytest.fixture
def media(tmp_path) -> Media:
    return Media(tmp_path)


@pytest.fixture
def draft(worker, media):
    draft = Draft(worker, media.file_of)
    yield draft
    draft.deleteLater()


def counted(draft: Draft, wait_until) -> int:
    told: list[int | None] = []
    draft.counted.connect(told.append)
    draft.recount()
    wait_until(lambda: told and not draft.is_counting and not draft.is_reading, 30)
    draft.counted.disconnect(told.append)
    assert told[-1] is not None
    return told[-1]


def test_an_attachment_is_read_and_its_cost_goes_with_it(draft, media, wait_until):
    draft.add(media.attach(PICTURE))
    assert draft.is_reading
    assert draft.attachments[0].tokens is None
    wait_until(lambda: not draft.is_reading, 30)
    (item,) = draft.items
    assert draft.attachments[0].tokens == item.cost.tokens > 0


def test_a_file_that_is_gone_has_a_problem_and_is_not_sent(draft):
    draft.add(Attachment("f" * 64, "gone.png", "image"))
    assert "no longer there" in draft.items[0].problem
    assert draft.attachments == ()
    assert not draft.is_reading


def test_the_whole_prompt_is_counted(draft, media, wait_until):
    empty = counted(draft, wait_until)
    draft.set_text("Describe the picture.")
    words = counted(draft, wait_until)
    draft.add(media.attach(PICTURE))
    picture = counted(draft, wait_until)
    draft.set_turns((Turn(1, None, "user", "Hi"), Turn(2, 1, "assistant", "Hello")))
    turns = counted(draft, wait_until)
    draft.set_settings(Settings(system_prompt="Be brief and kind."))
    assert empty < words < picture < turns < counted(draft, wait_until)


def test_turns_whose_file_is_gone_leave_the_count_open(draft, wait_until):
    told: list[int | None] = []
    draft.counted.connect(told.append)
    gone = Attachment("e" * 64, "gone.png", "image")
    draft.set_turns((Turn(1, None, "user", "What?", attachments=(gone,)),))
    wait_until(lambda: told, 10)
    assert told == [None]


def test_it_is_kept_a_moment_after_the_last_key(draft, wait_until):
    kept: list[tuple[str, tuple]] = []
    draft.settled.connect(lambda text, media: kept.append((text, media)))
    for text in ("h", "ha", "half"):
        draft.set_text(text)
    assert kept == []
    wait_until(lambda: kept, 10)
    assert kept == [("half", ())]


def test_sending_empties_it_at_once(draft, media):
    kept: list[str] = []
    draft.settled.connect(lambda text, _: kept.append(text))
    draft.set_text("Hi")
    draft.add(media.attach(PICTURE))
    draft.clear()
    assert (draft.text, draft.items, kept) == ("", (), [""])


def test_cards_keep_their_keys_when_they_move(draft, media, tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", (56, 56), "red").save(tmp_path / name)
        draft.add(media.attach(tmp_path / name))
    keys = [item.key for item in draft.items]
    draft.move(keys[0], 1)
    assert [item.key for item in draft.items] == [keys[1], keys[0], keys[2]]
    draft.move(keys[2], 1)
    draft.move("none", 1)
    draft.remove(keys[1])
    assert [item.key for item in draft.items] == [keys[0], keys[2]]
    assert draft.item(keys[1]) is None


def test_a_detail_is_a_budget_of_pixels_and_the_settings_lower_it(draft, media):
    low = Settings(image_max_pixels=100_000, video_fps=0.5, detail="low")
    draft.set_settings(low)
    draft.add(media.attach(PICTURE))
    draft.add(media.attach(CLIP))
    picture, clip = (item.attachment for item in draft.items)
    assert picture.max_pixels == 100_000
    assert (clip.max_pixels, clip.fps) == (DETAILS["low"][1], 0.5)
    draft.set_settings(Settings(detail="high"))
    picture, clip = (item.attachment for item in draft.items)
    assert (picture.max_pixels, clip.max_pixels, clip.fps) == (None, None, None)


def test_budgets_that_change_measure_the_cards_again(
    draft, media, tmp_path, wait_until
):
    Image.new("RGB", (800, 600), "red").save(tmp_path / "large.png")
    draft.add(media.attach(tmp_path / "large.png"))
    wait_until(lambda: not draft.is_reading, 30)
    normal = draft.items[0].cost.tokens
    draft.set_settings(Settings(image_max_pixels=12_544))
    assert draft.is_reading
    wait_until(lambda: not draft.is_reading, 30)
    assert draft.items[0].cost.tokens < normal
    assert draft.attachments[0].tokens == draft.items[0].cost.tokens


def test_other_settings_leave_the_cards_alone(draft, media, wait_until):
    kept = replace(media.attach(PICTURE), max_pixels=50_000)
    draft.open("", (kept,), (), thinking=False)
    wait_until(lambda: not draft.is_reading, 30)
    draft.set_settings(Settings(theme="dark", system_prompt="Be brief."))
    assert draft.items[0].attachment == kept
    assert not draft.is_reading


def test_one_attachment_can_have_budgets_of_its_own(draft, media):
    draft.add(media.attach(PICTURE))
    draft.add(media.attach(CLIP))
    picture, clip = (item.key for item in draft.items)
    draft.set_detail(picture, "low")
    draft.set_detail(clip, "high")
    draft.set_fps(clip, 0.5)
    assert draft.item(picture).attachment.max_pixels == DETAILS["low"][0]
    assert draft.item(clip).attachment.max_pixels is None
    assert draft.item(clip).attachment.fps == 0.5
    draft.set_settings(Settings(detail="normal", video_fps=4.0))
    assert draft.item(picture).attachment.max_pixels == DETAILS["low"][0]
    assert draft.item(clip).attachment.fps == 0.5
    assert draft.own_of(clip) == Own("high", 0.5)


def test_what_was_not_chosen_follows_the_settings_on(draft, media):
    draft.add(media.attach(CLIP))
    draft.set_fps(draft.items[0].key, 0.5)
    draft.set_settings(Settings(detail="high"))
    clip = draft.items[0].attachment
    assert (clip.max_pixels, clip.fps) == (None, 0.5)
    draft.set_fps(draft.items[0].key, None)
    assert draft.items[0].attachment.fps is None


def test_what_was_kept_tells_its_choice_by_its_budgets(draft, media):
    low = replace(media.attach(PICTURE), max_pixels=DETAILS["low"][0])
    clip = replace(media.attach(CLIP), max_pixels=DETAILS["normal"][1], fps=4.0)
    draft.open("", (low, clip), (), thinking=False)
    picture, film = (item.key for item in draft.items)
    assert draft.own_of(picture) == Own("low")
    assert draft.own_of(film) == Own("normal", 4.0)
    draft.set_detail(film, "low")
    assert draft.own_of(film) == Own("low", 4.0)


def test_chosen_pages_are_counted_anew_and_go(draft, media, wait_until):
    document = media.attach_bytes(pdf((200, 100), (100, 200), (50, 50)), "three.pdf")
    draft.add(document)
    wait_until(lambda: not draft.is_reading, 30)
    whole = draft.items[0].cost
    draft.set_pages(draft.items[0].key, (2, 3))
    assert draft.is_reading
    wait_until(lambda: not draft.is_reading, 30)
    assert draft.items[0].cost.tokens < whole.tokens
    assert draft.attachments[0].pages == (2, 3)
    draft.set_pages(draft.items[0].key, None)
    wait_until(lambda: not draft.is_reading, 30)
    assert draft.items[0].cost == whole


def test_what_was_kept_is_measured_again(draft, media, wait_until):
    kept = replace(media.attach(PICTURE), max_pixels=50_000)
    draft.open("half", (kept,), (), thinking=False)
    assert draft.text == "half"
    assert draft.items[0].attachment == kept
    wait_until(lambda: not draft.is_reading, 30)


def test_a_picture_that_cannot_be_drawn_is_not_sent(draft, media, wait_until):
    draft.add(media.attach(PICTURE))
    wait_until(lambda: not draft.is_reading, 30)
    draft.mark_unreadable(draft.items[0].attachment.digest, "It is cut off.")
    assert draft.items[0].problem == "It is cut off."
    assert draft.attachments == ()
