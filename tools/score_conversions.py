"""What bits cost: the demo converted at each width, scored on held-out questions.

    python tools/score_conversions.py --questions 20
    python tools/score_conversions.py --checkpoint runs/demo/checkpoint --print

Writes into the demo's README, for each recipe, its right answers (without thinking) by
kind and in all, and the mean Kullback-Leibler divergence of its next-token
distributions from the source's, in nats. The last line is one JSON document. Recipes
are shared out to processes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mlx.core as mx
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo_training.lessons import LESSONS, SCORED, Question  # noqa: E402
from demo_training.own_answering import OwnAnswerer, parts_of  # noqa: E402
from score_demo import CHECKPOINT, questions, score  # noqa: E402
from table_demo import README, percent, replaced  # noqa: E402

from mlx_glm45v import Message, TextPart, convert  # noqa: E402

RECIPES = ("bf16", "8bit", "6bit", "4bit", "3bit", "2bit")
DIVERGED = 10  # questions of a kind at most, to measure the divergence on
STILL_KINDS = [
    kind
    for kind, lesson in LESSONS.items()
    if lesson.format == "picture" and "turn" not in kind
]


def told(question: Question) -> list[Message]:
    """The last question and its answer; each call draws the media a little anew."""
    last = question.turns[-1]
    return [
        Message("user", [*parts_of(question), TextPart(last.question)]),
        Message("assistant", last.answer),
    ]


def log_probabilities(answerer: OwnAnswerer, messages: list[Message]) -> np.ndarray:
    """Next-token log probabilities (L, vocabulary) over a question and its answer."""
    prompt = answerer.processor.prompt(
        messages, thinking=False, continue_final_message=True
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


def divergence(
    source: OwnAnswerer,
    other: OwnAnswerer,
    *,
    count: int,
    kinds: Sequence[str] = STILL_KINDS,
) -> float:
    """Mean KL(source || other) over all positions of `count` questions a kind, nats."""
    values = []
    for kind in kinds:
        for question in questions(kind, count=count):
            messages = told(question)
            ours = log_probabilities(source, messages)
            theirs = log_probabilities(other, messages)
            values.append(np.sum(np.exp(ours) * (ours - theirs), axis=-1))
    return float(np.concatenate(values).mean())


@dataclass(frozen=True)
class Column:
    """A recipe's right answers by kind, and its divergence from the source in nats."""

    right: Mapping[str, int]
    divergence: float


def measured(recipe: str, *, folder: Path, count: int) -> tuple[str, Column]:
    """The column of one recipe; bf16 is the checkpoint as it is."""
    source = answerer = OwnAnswerer.from_folder(folder)
    with tempfile.TemporaryDirectory() as out:
        if recipe != "bf16":
            target = Path(out) / recipe
            convert(folder, target, recipe=recipe)
            answerer = OwnAnswerer.from_folder(target)
        right = {
            kind: score(answerer, kind, thinking=False, count=count).right
            for kind in SCORED
        }
        apart = divergence(source, answerer, count=min(count, DIVERGED))
    return recipe, Column(right, apart)


def table(columns: Mapping[str, Column], count: int) -> str:
    """The columns in Markdown, in per cent."""
    lines = [
        f"| question | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    for kind in SCORED:
        shares = [percent(column.right[kind], count) for column in columns.values()]
        lines.append(f"| {kind} | {' | '.join(shares)} |")
    totals = [
        percent(sum(column.right.values()), count * len(SCORED))
        for column in columns.values()
    ]
    apart = [f"{column.divergence:.4f}" for column in columns.values()]
    lines.append(f"| **all** | {' | '.join(totals)} |")
    lines.append(f"| divergence, nats | {' | '.join(apart)} |")
    return "\n".join(lines)


def main() -> None:
    """Convert, score and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--questions", type=int, default=20, help="of each kind")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--print", action="store_true", help="leave the README")
    options = parser.parse_args()
    measure = partial(measured, folder=options.checkpoint, count=options.questions)
    columns: dict[str, Column] = {}
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for recipe, column in pool.imap_unordered(measure, RECIPES):
            columns[recipe] = column
            print(f"{recipe}: {sum(column.right.values())} right", flush=True)
    columns = {recipe: columns[recipe] for recipe in RECIPES}
    written = table(columns, options.questions)
    print(written)
    print(json.dumps({recipe: vars(column) for recipe, column in columns.items()}))
    if not options.print:
        README.write_text(replaced(README.read_text(), "bits", written))


if __name__ == "__main__":
    main()
