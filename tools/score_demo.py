"""Score a demo checkpoint on held-out questions, through transformers.

    python tools/score_demo.py --questions 100

The last line is one JSON document: right answers of each kind, thinking on and off.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo_training.answering import Answerer  # noqa: E402
from demo_training.held_out import KINDS, held_out  # noqa: E402

CHECKPOINT = ROOT / "mlx_glm45v" / "demo" / "checkpoint"


def score(
    answerer: Answerer, kind: str, *, thinking: bool, count: int, wrong: int
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


def main() -> None:
    """Score every kind, with thinking and without."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--questions", type=int, default=100, help="of each kind")
    parser.add_argument(
        "--show", type=int, default=0, help="wrong answers of each kind"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    answerer = Answerer(options.checkpoint)
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
