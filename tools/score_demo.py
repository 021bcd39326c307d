"""Score a demo checkpoint on held-out questions.

    python tools/score_demo.py --questions 100
    python tools/score_demo.py --questions 20 --engine mlx_glm45v

The last line is one JSON document: right answers of each kind, thinking on and off.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo_training.held_out import KINDS, Answer, Question, held_out  # noqa: E402

CHECKPOINT = ROOT / "mlx_glm45v" / "demo" / "checkpoint"


class Answering(Protocol):
    """A model that answers held-out questions."""

    def answer(self, questions: Sequence[Question], *, thinking: bool) -> list[Answer]:
        """One answer to each question."""
        ...


def score(
    answerer: Answering, kind: str, *, thinking: bool, count: int, wrong: int
) -> int:
    """Right answers among `count` questions; prints the first `wrong` wrong ones."""
    right = 0
    for first in range(0, count, 25):
        asked = [held_out(kind, first + i) for i in range(min(25, count - first))]
        answers = answerer.answer(asked, thinking=thinking)
        for question, answer in zip(asked, answers, strict=True):
            exchange = question.exchange
            thought_well = (answer.thought is not None) == thinking
            if answer.text == exchange.answer and thought_well:
                right += 1
                continue
            if wrong > 0:
                wrong -= 1
                print(f"  {exchange.question!r}: {answer} for {exchange.answer!r}")
    return right


def answerer_of(engine: str, folder: Path) -> Answering:
    """The folder's model in transformers or in this library."""
    if engine == "transformers":
        from demo_training.answering import Answerer

        return Answerer(folder)
    from demo_training.own_answering import OwnAnswerer

    return OwnAnswerer(folder)


def main() -> None:
    """Score every kind, with thinking and without."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--questions", type=int, default=100, help="of each kind")
    parser.add_argument(
        "--show", type=int, default=0, help="wrong answers of each kind"
    )
    parser.add_argument(
        "--engine", choices=("transformers", "mlx_glm45v"), default="transformers"
    )
    options = parser.parse_args()
    answerer = answerer_of(options.engine, options.checkpoint)
    scores: dict[str, dict[str, int]] = {}
    for kind in KINDS:
        scores[kind] = {
            name: score(
                answerer,
                kind,
                thinking=thinking,
                count=options.questions,
                wrong=options.show,
            )
            for name, thinking in (("thinking", True), ("no thinking", False))
        }
        print(f"{kind}: {scores[kind]} of {options.questions}", flush=True)
    print(json.dumps({"questions": options.questions, "right": scores}))


if __name__ == "__main__":
    main()
