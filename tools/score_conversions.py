"""What bits cost: the demo converted at each width, scored on held-out questions.

    python tools/score_conversions.py --questions 20

Prints for each recipe its right answers (without thinking), by kind and in all, and the
mean Kullback-Leibler divergence of its next-token distributions from the source's, in
nats. The last line is one JSON document.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import mlx.core as mx
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo_training.lessons import LESSONS, SCORED, held_out_question  # noqa: E402
from demo_training.own_answering import OwnAnswerer, parts_of  # noqa: E402
from score_demo import CHECKPOINT, score  # noqa: E402

from mlx_glm45v import Message, TextPart, convert  # noqa: E402

RECIPES = ("8bit", "6bit", "5bit", "4bit", "3bit", "2bit")
STILL_KINDS = [
    kind
    for kind, lesson in LESSONS.items()
    if lesson.format == "picture" and "turn" not in kind
]


def log_probabilities(answerer: OwnAnswerer, kind: str, index: int) -> np.ndarray:
    """Next-token log probabilities (L, vocabulary) over a question and its answer."""
    question = held_out_question(kind, index)
    last = question.turns[-1]
    prompt = answerer.processor.prompt(
        [
            Message("user", [*parts_of(question), TextPart(last.question)]),
            Message("assistant", last.answer),
        ],
        thinking=False,
        continue_final_message=True,
    )
    (span,) = prompt.spans
    output = answerer.model(
        mx.array(prompt.token_ids[None]),
        position_ids=mx.array(prompt.positions[:, None]),
        pixel_values=mx.array(span.pixel_values),
        image_grid_thw=[span.grid_thw],
    )
    logits = output.logits[0].astype(mx.float32)
    return np.array(logits - mx.logsumexp(logits, axis=-1, keepdims=True))


def divergence(source: OwnAnswerer, other: OwnAnswerer, *, count: int) -> float:
    """Mean KL(source || other) over all positions of `count` questions a kind, nats."""
    values = []
    for kind in STILL_KINDS:
        for index in range(count):
            ours = log_probabilities(source, kind, index)
            theirs = log_probabilities(other, kind, index)
            values.append(np.sum(np.exp(ours) * (ours - theirs), axis=-1))
    return float(np.concatenate(values).mean())


def main() -> None:
    """Convert, score and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--questions", type=int, default=20, help="of each kind")
    options = parser.parse_args()
    source = OwnAnswerer.from_folder(options.checkpoint)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for recipe in ("bf16", *RECIPES):
            answerer = source
            if recipe != "bf16":
                target = Path(folder) / recipe
                convert(options.checkpoint, target, recipe=recipe)
                answerer = OwnAnswerer.from_folder(target)
            right = {
                kind: score(
                    answerer, kind, thinking=False, count=options.questions
                ).right
                for kind in SCORED
            }
            kl = divergence(source, answerer, count=min(options.questions, 10))
            rows[recipe] = {"right": right, "kl": kl}
            total, asked = sum(right.values()), options.questions * len(SCORED)
            print(f"{recipe:5} {total:4} of {asked}  KL {kl:.5f}", flush=True)
    print(json.dumps({"questions": options.questions, "recipes": rows}))


if __name__ == "__main__":
    main()
