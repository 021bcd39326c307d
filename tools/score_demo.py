"""Score a demo checkpoint on held-out questions.

    python tools/score_demo.py --questions 100
    python tools/score_demo.py --questions 20 --engine mlx_glm45v
    python tools/score_demo.py --questions 20 --engine both      # the same words?
    python tools/score_demo.py --questions 100 --shown nothing

The last line is one JSON document: right answers of each kind, thinking on and off, and
how well boxes fit.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo_training.answer import Answer  # noqa: E402
from demo_training.lessons import (  # noqa: E402
    SCORED,
    SCORED_FROM,
    Question,
    held_out_question,
)
from demo_training.marking import mark  # noqa: E402
from demo_training.own_answering import OwnAnswerer  # noqa: E402

CHECKPOINT = ROOT / "mlx_glm45v" / "demo" / "checkpoint"
BATCH = 25
# A question's own media, none, or those of another question of its kind.
Shown = Literal["own", "nothing", "another"]


class Answering(Protocol):
    """A model that answers held-out questions."""

    def answer(
        self, questions: Sequence[Question], *, thinking: bool, blind: bool = False
    ) -> Sequence[Answer]:
        """One answer to each question."""
        ...


class Score:
    """Right answers of one kind, and the boxes among them."""

    def __init__(self) -> None:
        self.right = 0
        self.asked = 0
        self.overlaps: list[float] = []

    def add(self, answer: Answer, question: Question, *, thinking: bool) -> bool:
        """Takes in one answer; returns whether it is right."""
        last = question.turns[-1]
        found = mark(answer.text, last.answer, last.box)
        right = found.right and (answer.thought is not None) == thinking
        self.asked += 1
        self.right += right
        if found.overlap is not None:
            self.overlaps.append(found.overlap)
        return right

    def told(self) -> dict[str, Any]:
        """For the JSON document."""
        told: dict[str, Any] = {"right": self.right, "asked": self.asked}
        if self.overlaps:
            told["mean_iou"] = round(sum(self.overlaps) / len(self.overlaps), 3)
        return told


def questions(kind: str, *, count: int, first: int = 0) -> list[Question]:
    """`count` held-out questions that no training watched."""
    start = SCORED_FROM + first
    return [held_out_question(kind, index) for index in range(start, start + count)]


def shown_anothers(
    asked: Sequence[Question], others: Sequence[Question]
) -> list[Question]:
    """The same turns about the media of the other questions."""
    return [
        replace(one, shown=other.shown, earlier=other.earlier)
        for one, other in zip(asked, others, strict=True)
    ]


def score(
    answerer: Answering,
    kind: str,
    *,
    thinking: bool,
    count: int,
    shown: Shown = "own",
    show: int = 0,
) -> Score:
    """The score of `count` questions; prints the first `show` wrong answers."""
    found = Score()
    for first in range(0, count, BATCH):
        asked = questions(kind, count=min(BATCH, count - first), first=first)
        if shown == "another":
            others = questions(kind, count=len(asked), first=first + count)
            asked = shown_anothers(asked, others)
        blind = shown == "nothing"
        answers = answerer.answer(asked, thinking=thinking, blind=blind)
        for question, answer in zip(asked, answers, strict=True):
            if not found.add(answer, question, thinking=thinking) and show > 0:
                show -= 1
                last = question.turns[-1]
                print(f"  {last.question!r}: {answer} for {last.answer!r}")
    return found


def answerer_of(engine: str, folder: Path) -> Answering:
    """The folder's model in transformers or in this library."""
    if engine == "mlx_glm45v":
        return OwnAnswerer.from_folder(folder)
    from demo_training.answering import Answerer

    return Answerer(folder)


def compare(folder: Path, kind: str, *, thinking: bool, count: int) -> int:
    """How many of `count` questions get the same words from both engines."""
    said = [
        answerer_of(engine, folder).answer(
            questions(kind, count=count), thinking=thinking
        )
        for engine in ("transformers", "mlx_glm45v")
    ]
    same = [
        (one.thought, one.text) == (other.thought, other.text)
        for one, other in zip(*said, strict=True)
    ]
    return sum(same)


def main() -> None:
    """Score every kind, with thinking and without."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--questions", type=int, default=100, help="of each kind")
    parser.add_argument("--kinds", nargs="*", default=SCORED, choices=SCORED)
    parser.add_argument("--shown", choices=get_args(Shown), default="own")
    parser.add_argument(
        "--show", type=int, default=0, help="wrong answers of each kind"
    )
    parser.add_argument(
        "--engine",
        choices=("transformers", "mlx_glm45v", "both"),
        default="transformers",
    )
    options = parser.parse_args()
    modes = (("thinking", True), ("no thinking", False))
    scores: dict[str, dict[str, Any]] = {}
    if options.engine == "both":
        for kind in options.kinds:
            scores[kind] = {
                name: compare(
                    options.checkpoint, kind, thinking=on, count=options.questions
                )
                for name, on in modes
            }
            print(f"{kind}: {scores[kind]} of {options.questions} alike", flush=True)
        print(json.dumps({"questions": options.questions, "alike": scores}))
        return
    answerer = answerer_of(options.engine, options.checkpoint)
    for kind in options.kinds:
        scores[kind] = {
            name: score(
                answerer,
                kind,
                thinking=on,
                count=options.questions,
                shown=options.shown,
                show=options.show,
            ).told()
            for name, on in modes
        }
        print(f"{kind}: {scores[kind]}", flush=True)
    print(json.dumps({"questions": options.questions, "scores": scores}))


if __name__ == "__main__":
    main()
