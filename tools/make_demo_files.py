"""Write the demo's tokenizer and configs: python tools/make_demo_files.py --out FOLDER.

The chat template is copied from the packaged checkpoint.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo_training.checkpoint_files import write_files  # noqa: E402
from demo_training.lessons import FORMATS, LESSONS, Frame  # noqa: E402

from mlx_glm45v.demo import asking  # noqa: E402

CHECKPOINT = ROOT / "mlx_glm45v" / "demo" / "checkpoint"
TEMPLATE = "chat_template.jinja"


def vocabulary_texts(*, rounds: int = 400) -> Iterator[str]:
    """Questions, thoughts and answers as in training, but for rare nouns."""
    for index in range(rounds):
        for lesson in LESSONS.values():
            random = Random(f"words:{index}:{lesson.format}")
            shown = FORMATS[lesson.format](random, Frame.chosen(random), held_out=False)
            for turn in lesson.ask(random, shown):
                if turn.answer != asking.UNKNOWN_ANSWER:
                    yield from (turn.question, turn.thought, turn.answer)
        yield asking.UNKNOWN_ANSWER
        for wording in asking.UNKNOWN:
            yield wording.replace("{}", "")


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    folder = parser.parse_args().out
    write_files(folder, vocabulary_texts())
    if folder != CHECKPOINT:
        shutil.copy(CHECKPOINT / TEMPLATE, folder / TEMPLATE)
    print(f"wrote {folder}")


if __name__ == "__main__":
    main()
