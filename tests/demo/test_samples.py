"""What the trainer shows is what the library would show."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from tokenizers import Tokenizer

from mlx_glm45v.demo.clips import Clip, random_clip
from mlx_glm45v.demo.questions import GREETING, Exchange
from mlx_glm45v.messages import ImagePart, Message, TextPart, VideoPart

FIRST = Exchange("count", "How many?", "I see one.", "One.")
SECOND = Exchange("colour", "Which colour is it", "It is red.", "Red.")


@pytest.fixture(scope="module")
def writer(demo_folder):
    from demo_training.samples import Writer

    return Writer(Tokenizer.from_file(str(demo_folder / "tokenizer.json")))


def asked(exchange: Exchange, *media) -> Message:
    return Message("user", [*media, TextPart(exchange.question)])


@pytest.mark.parametrize("thinking", [True, False])
def test_conversations_are_written_as_the_chat_template_does(
    writer, demo_processor, thinking
):
    from demo_training.samples import Turn, clip_media

    clip = random_clip(Random(0), seconds=3.0)
    media = clip_media(Random(1), clip)
    turns = [Turn(FIRST, media), Turn(SECOND)]
    sample = writer.sample(turns, thinking=thinking, system="Be brief.")
    frames = [clip.frame(i / 2) for i in range(6)]
    times = tuple(i / 2 for i in range(6))
    prompt = demo_processor.prompt(
        [
            Message("system", "Be brief."),
            asked(FIRST, VideoPart(frames, times=times)),
            Message("assistant", FIRST.answer),
            asked(SECOND),
        ],
        thinking=thinking,
    )
    length = len(prompt.token_ids)
    assert sample.ids[:length].tolist() == prompt.token_ids.tolist()
    assert sample.positions[:, :length].tolist() == prompt.positions.tolist()


def test_a_picture_becomes_the_processors_patches(writer, demo_processor):
    from demo_training.samples import still_media

    from mlx_glm45v.demo.scenes import draw, random_scene

    scene = random_scene(Random(5), width=448, height=336)
    clean = next(  # a seed that adds neither blur nor noise
        seed
        for seed in range(50)
        if (random := Random(seed)).random() >= 0.25 and random.random() >= 0.35
    )
    media = still_media(Random(clean), scene)
    prompt = demo_processor.prompt([asked(FIRST, ImagePart(draw(scene)))])
    (span,) = prompt.spans
    assert span.grid_thw == (1, *media.grid)
    assert np.array_equal(span.pixel_values, media.pairs[0])
    shown = "<|image|>" * (span.stop - span.start)
    assert shown in writer.media_text(media)


@pytest.mark.parametrize(
    ("thinking", "said"),
    [
        (False, "One.<|user|>Red.<|user|>"),
        (True, "One.<|user|><think>It is red.</think>\nRed.<|user|>"),
    ],
)
def test_only_the_models_words_are_learned(writer, demo_folder, thinking, said):
    from demo_training.samples import Turn

    tokenizer = Tokenizer.from_file(str(demo_folder / "tokenizer.json"))
    sample = writer.sample([Turn(FIRST), Turn(SECOND)], thinking=thinking)
    targets = sample.targets[sample.targets >= 0].tolist()
    assert tokenizer.decode(targets, skip_special_tokens=False) == said
    where = np.flatnonzero(sample.targets >= 0)
    assert (sample.ids[where + 1] == sample.targets[where]).all()


def test_time_texts_are_marked_with_the_way_so_far(writer, demo_folder):
    from demo_training.samples import Turn, clip_media

    tokenizer = Tokenizer.from_file(str(demo_folder / "tokenizer.json"))
    scene = random_clip(Random(0)).scene
    figure = replace(scene.figures[0], x=28.0, y=56.0)
    clip = Clip(replace(scene, figures=(figure,)), "right", distance=60, seconds=3)
    sample = writer.sample([Turn(FIRST, clip_media(Random(1), clip))], thinking=True)
    columns = sample.marks[:, 0].astype(int)
    assert tokenizer.decode(sample.ids[columns].tolist()) == "012"
    # 28 + 20 * 0.25 units of 112 at first, 20 more each second.
    assert np.allclose(sample.marks[:, 1], np.array([33, 53, 73]) / 56 - 1)
    assert np.allclose(sample.marks[:, 3], np.array([0, 20, 40]) / 56)
    assert np.allclose(sample.marks[:, [2, 4]], 0)


def test_held_out_questions_repeat_themselves_and_differ():
    from demo_training.held_out import KINDS, held_out

    for kind in KINDS:
        assert held_out(kind, 3).exchange == held_out(kind, 3).exchange
        assert len({held_out(kind, i).shown for i in range(8)}) in (1, 8)
    assert held_out("greeting", 0).shown is None
    assert GREETING in {held_out("greeting", i).exchange.answer for i in range(5)}
