"""Write the demo's tokenizer and configs: python tools/make_demo_files.py --out FOLDER.

The tokenizer and the chat template are the packaged checkpoint's. With --new-tokenizer
one is trained on the lessons' words as they are now; weights that were learned with
another make no sense with it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo_training.checkpoint_files import train_tokenizer, write_configs  # noqa: E402
from demo_training.lessons import FORMATS, LESSONS, Frame  # noqa: E402
from demo_training.tokens import (  # noqa: E402
    TOKENIZER,
    OtherTokenizerError,
    tokenizer_digest,
)

from mlx_glm45v.demo import asking  # noqa: E402

CHECKPOINT = ROOT / "mlx_glm45v" / "demo" / "checkpoint"
TEMPLATE = "chat_template.jinja"
WEIGHTS = "model.safetensors"


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


def make_files(folder: Path, *, new_words: Iterable[str] | None = None) -> None:
    """Write all but the weights, with a tokenizer of `new_words` or the packaged one.

    Raises OtherTokenizerError where the folder has weights and another tokenizer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if new_words is not None:
        if (folder / WEIGHTS).exists():
            raise OtherTokenizerError(
                f"{folder} has weights, which know the words of their own tokenizer"
            )
        train_tokenizer(new_words).save(str(folder / TOKENIZER))
    elif not (folder / TOKENIZER).exists():
        shutil.copy(CHECKPOINT / TOKENIZER, folder / TOKENIZER)
    elif tokenizer_digest(folder) != tokenizer_digest(CHECKPOINT):
        raise OtherTokenizerError(f"{folder} has another tokenizer than the packaged")
    if folder.resolve() != CHECKPOINT:
        shutil.copy(CHECKPOINT / TEMPLATE, folder / TEMPLATE)
    write_configs(folder)


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--new-tokenizer", action="store_true", help="for weights yet to be trained"
    )
    options = parser.parse_args()
    try:
        make_files(
            options.out, new_words=vocabulary_texts() if options.new_tokenizer else None
        )
    except OtherTokenizerError as error:
        parser.error(str(error))
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
