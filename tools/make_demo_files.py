"""Write the demo's tokenizer and configs: python tools/make_demo_files.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo_training.checkpoint_files import write_files  # noqa: E402

from mlx_glm45v.demo import questions  # noqa: E402
from mlx_glm45v.demo.clips import random_clip  # noqa: E402
from mlx_glm45v.demo.scenes import random_scene  # noqa: E402

CHECKPOINT = ROOT / "mlx_glm45v" / "demo" / "checkpoint"


def vocabulary_texts(*, rounds: int = 3000) -> Iterator[str]:
    """Questions, thoughts and answers as the training shows them."""
    for index in range(rounds):
        random = Random(f"words:{index}")
        scene, clip = random_scene(random), random_clip(random)
        for ask in questions.SCENE_QUESTIONS:
            exchange = ask(random, scene)
            yield from (exchange.question, exchange.thought, exchange.answer)
        for ask in questions.CLIP_QUESTIONS:
            exchange = ask(random, clip)
            yield from (exchange.question, exchange.thought, exchange.answer)
        exchange = questions.greeting(random)
        yield from (exchange.question, exchange.thought, exchange.answer)


if __name__ == "__main__":
    write_files(CHECKPOINT, vocabulary_texts())
    print(f"wrote {CHECKPOINT}")
