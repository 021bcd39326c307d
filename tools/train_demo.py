"""Train the demo model, or go on where a run with the same --out stopped.

    python tools/make_demo_files.py --out runs/demo/checkpoint
    python tools/train_demo.py --out runs/demo --steps 11500 --seed 0
    python tools/train_demo.py --out runs/demo --export runs/demo/checkpoint

Writes runs/demo/state.pt every three minutes, runs/demo/loss.csv and, every so many
steps, runs/demo/right.csv: the share of held-out conversations of each kind that the
model would say word for word. --export writes the averaged weights into a Hugging Face
folder with one tensor per expert; its tokenizer must be the run's.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import distributed, multiprocessing
from transformers import AutoConfig

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo_training.course import SEEING, Packed, course_batch, padded  # noqa: E402
from demo_training.export import export_folder  # noqa: E402
from demo_training.learner import Learner  # noqa: E402
from demo_training.lessons import LESSONS, held_out_question  # noqa: E402
from demo_training.packing import Branch, Packer  # noqa: E402
from demo_training.run_log import (  # noqa: E402
    LOSS_HEAD,
    LOSSES,
    SCORE_HEAD,
    SCORES,
    truncate_log,
)
from demo_training.schedule import Schedule  # noqa: E402
from demo_training.showing import media_of  # noqa: E402
from demo_training.tokens import require_tokenizer, tokenizer_digest  # noqa: E402

SAVE_SECONDS = 180
WATCHED = 24  # held-out questions a kind


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--steps", type=int, default=11_500)
    parser.add_argument(
        "--fall", type=float, default=0.4, help="last part of the steps"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="one core each")
    parser.add_argument("--watch", type=int, default=500, help="steps between scores")
    parser.add_argument(
        "--export", type=Path, help="write this folder and train nothing"
    )
    return parser.parse_args()


def watched(
    packer: Packer, pad_id: int, *, kinds: Iterable[str] = LESSONS, count: int = WATCHED
) -> dict[str, list[Packed]]:
    """`count` held-out questions of each kind, eight a batch, without thinking."""
    batches = {}
    for kind in kinds:
        rows = []
        for index in range(count):
            question = held_out_question(kind, index)
            media = [media_of(question.random, one) for one in question.shown]
            branch = Branch(question.turns, thinking=False)
            rows.append(packer.row(media, [branch], earlier=question.earlier))
        batches[kind] = [
            padded(rows[i : i + 8], pad_id=pad_id) for i in range(0, count, 8)
        ]
    return batches


def watch(learner: Learner, batches: dict[str, list[Packed]]) -> dict[str, float]:
    """The share of each kind's questions whose every answer is right word for word."""
    own = {name: value.clone() for name, value in learner.model.state_dict().items()}
    learner.model.load_state_dict(learner.average)
    right = {}
    for kind, parts in batches.items():
        told = [share for batch in parts for share in learner.right(batch)]
        right[kind] = sum(share == 1 for share in told) / len(told)
        right[f"{kind} (tokens)"] = sum(told) / len(told)
    learner.model.load_state_dict(own)
    return right


def train(
    learner: Learner, packer: Packer, options: argparse.Namespace, *, worker: int
) -> None:
    """Take the steps that are left; worker 0 keeps the log and the state."""
    state, log = options.out / "state.pt", options.out / LOSSES
    scores = options.out / SCORES
    if worker:
        state, log, scores = (Path(os.devnull),) * 3
    pad_id = learner.model.config.text_config.pad_token_id
    if worker == 0:
        truncate_log(log, LOSS_HEAD, step=learner.step)
        truncate_log(scores, SCORE_HEAD, step=learner.step)
    batches: dict[str, list[Packed]] = {}
    saved = time.monotonic()
    parent = os.getppid()
    with log.open("a", buffering=1) as lines, scores.open("a", buffering=1) as told:
        # A worker whose parent was stopped stops too.
        while learner.step < learner.schedule.steps and os.getppid() == parent:
            began = time.monotonic()
            batch = course_batch(
                packer,
                seed=options.seed,
                step=learner.step,
                pad_id=pad_id,
                worker=worker,
            )
            losses = learner.take_step(batch)
            took = time.monotonic() - began
            if worker:
                continue
            lines.write(
                f"{learner.step},{losses.words:.4f},{losses.naming:.4f},"
                f"{learner.rate():.6f},{took:.3f}\n"
            )
            if learner.step % options.watch == 0 and learner.step > SEEING:
                batches = batches or watched(packer, pad_id)  # drawing them takes long
                for kind, share in watch(learner, batches).items():
                    told.write(f"{learner.step},{kind},{share:.3f}\n")
            if time.monotonic() - saved > SAVE_SECONDS:
                learner.save(state)
                saved = time.monotonic()
    if worker == 0:
        learner.save(state)


def learner_of(options: argparse.Namespace) -> Learner:
    """A new learner, or the stopped run's."""
    files = options.out / "checkpoint"
    learner = Learner(
        AutoConfig.from_pretrained(files),
        schedule=Schedule(options.steps, fall=options.fall),
        seed=options.seed,
        tokenizer=tokenizer_digest(files),
    )
    state = options.out / "state.pt"
    if state.exists():
        learner.resume(state)
        print(f"resumed at step {learner.step}", flush=True)
    return learner


def work(worker: int, options: argparse.Namespace) -> None:
    """One of the training processes."""
    torch.set_num_threads(1)
    meeting = distributed.FileStore(str(options.out / "meeting"), options.workers)
    distributed.init_process_group(
        "gloo", store=meeting, rank=worker, world_size=options.workers
    )
    tokenizer = Tokenizer.from_file(str(options.out / "checkpoint/tokenizer.json"))
    train(learner_of(options), Packer(tokenizer), options, worker=worker)
    distributed.destroy_process_group()


def export(options: argparse.Namespace) -> None:
    """Write the averaged weights beside the run's own tokenizer.

    Raises OtherTokenizerError where another one is there, FileNotFoundError where none.
    """
    learner = learner_of(options)
    require_tokenizer(options.export, learner.tokenizer)
    export_folder(learner.average, options.export)
    print(f"wrote step {learner.step} to {options.export}")


def main() -> None:
    """Train or export."""
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.export:
        export(options)
        return
    (options.out / "meeting").unlink(missing_ok=True)
    multiprocessing.spawn(work, (options,), nprocs=options.workers)
    print("done")


if __name__ == "__main__":
    main()
