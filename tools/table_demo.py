"""Write the table of the demo's README: how well it answers.

    python tools/table_demo.py --questions 100
    python tools/table_demo.py --checkpoint runs/demo/checkpoint --print

Every kind of held-out question is asked with thinking and without, again with nothing
shown and with the media of another question, and some of them through this library too,
which must say the same words as `transformers` on the same input. Kinds are shared out
to processes of one core each.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo_training.lessons import LESSONS, SCORED  # noqa: E402
from score_demo import CHECKPOINT, answerer_of, compare, score  # noqa: E402

README = CHECKPOINT.parent / "README.md"
BEGIN, END = "<!-- {} begins -->", "<!-- {} ends -->"
MODES = (True, False)  # thinking, no thinking
PICTURES = ("picture", "page", "nothing", "later picture", "pictures", "change")


@dataclass(frozen=True)
class Amounts:
    """How many questions of a kind are asked for each column."""

    shown: int
    blind: int
    alike: int


@dataclass(frozen=True)
class Row:
    """A kind's right answers with thinking and without, and what they stand beside.

    `another` counts those without thinking about another question's media, None for
    kinds that show nothing, as `blind`; `boxes` are the mean intersections over union,
    None for kinds without boxes.
    """

    right: tuple[int, int]
    blind: tuple[int, int] | None
    another: int | None
    alike: int
    boxes: tuple[float, float] | None


def measured(kind: str, *, folder: Path, amounts: Amounts) -> tuple[str, Row]:
    """One kind's row."""
    answerer = answerer_of("transformers", folder)
    shown = [
        score(answerer, kind, thinking=on, count=amounts.shown).told() for on in MODES
    ]
    blind = another = None
    if LESSONS[kind].format != "nothing":
        told = [
            score(
                answerer, kind, thinking=on, count=amounts.blind, shown="nothing"
            ).right
            for on in MODES
        ]
        blind = (told[0], told[1])
        another = score(
            answerer, kind, thinking=False, count=amounts.blind, shown="another"
        ).right
    boxes = [each["mean_iou"] for each in shown if "mean_iou" in each]
    row = Row(
        right=(shown[0]["right"], shown[1]["right"]),
        blind=blind,
        another=another,
        alike=sum(
            compare(folder, kind, thinking=on, count=amounts.alike) for on in MODES
        ),
        boxes=(boxes[0], boxes[1]) if len(boxes) == 2 else None,
    )
    return kind, row


def percent(right: int, asked: int) -> str:
    """A share without decimals."""
    return f"{100 * right / asked:.0f}" if asked else ""


def table(rows: Mapping[str, Row], amounts: Amounts) -> str:
    """The rows in Markdown, and the lowest kinds below it."""
    lines = [
        "| question | thinking | no thinking | nothing shown | another's media "
        "| same words |",
        "|---|---|---|---|---|---|",
    ]
    for kind, row in rows.items():
        shown = [percent(right, amounts.shown) for right in row.right]
        if row.boxes:
            shown = [
                f"{each} (IoU {box:.2f})"
                for each, box in zip(shown, row.boxes, strict=True)
            ]
        blind = another = "as asked"
        if row.blind is not None and row.another is not None:
            blind = " / ".join(percent(right, amounts.blind) for right in row.blind)
            another = percent(row.another, amounts.blind)
        lines.append(
            f"| {kind} | {' | '.join(shown)} | {blind} | {another} | "
            f"{row.alike} of {2 * amounts.alike} |"
        )
    worst = [
        min(kinds, key=lambda kind: min(rows[kind].right))
        for _, kinds in sorts_of(rows)
        if kinds
    ]
    lowest = [
        f"{kind} {percent(min(rows[kind].right), amounts.shown)} %" for kind in worst
    ]
    return "\n".join([*lines, "", f"Lowest: {'; '.join(lowest)}."])


def sorts_of(kinds: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Kinds by what the goals tell apart: pictures, and videos and several turns."""
    kinds = list(kinds)
    plain = [k for k in kinds if LESSONS[k].format in PICTURES and "turn" not in k]
    return [
        ("pictures", plain),
        ("videos and several turns", [kind for kind in kinds if kind not in plain]),
    ]


def replaced(text: str, name: str, table: str) -> str:
    """The text with what stands between the table's marks replaced."""
    begin, end = BEGIN.format(name), END.format(name)
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"the README has no marks {begin} and {end}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--questions", type=int, default=100, help="of each kind")
    parser.add_argument(
        "--blind", type=int, default=20, help="of another's media or none"
    )
    parser.add_argument("--alike", type=int, default=5, help="through both engines")
    parser.add_argument("--kinds", nargs="*", default=SCORED, choices=SCORED)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--print", action="store_true", help="leave the README")
    return parser.parse_args()


def begin_process() -> None:
    """One core a process."""
    import torch

    torch.set_num_threads(1)


def main() -> None:
    """Measure all rows and write them."""
    options = parse()
    amounts = Amounts(options.questions, options.blind, options.alike)
    began = time.monotonic()
    rows: dict[str, Row] = {}
    measure = partial(measured, folder=options.checkpoint, amounts=amounts)
    pool = multiprocessing.get_context("spawn").Pool(
        options.processes, initializer=begin_process
    )
    with pool:
        for kind, row in pool.imap_unordered(measure, options.kinds):
            rows[kind] = row
            print(f"{kind}: {row}", flush=True)
    rows = {kind: rows[kind] for kind in options.kinds}
    told = table(rows, amounts)
    print(told)
    print(json.dumps({kind: vars(row) for kind, row in rows.items()}))
    print(f"{time.monotonic() - began:.0f} s")
    if not options.print:
        README.write_text(replaced(README.read_text(), "scores", told))


if __name__ == "__main__":
    main()
