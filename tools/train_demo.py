"""Train the demo model, or go on with a stopped run.

    python tools/train_demo.py --out runs/demo --steps 6000 --seed 0
    python tools/train_demo.py --out runs/demo --export mlx_glm45v/demo/checkpoint

Writes runs/demo/state.pt every five minutes and runs/demo/loss.csv; --export writes the
averaged weights as a Hugging Face folder with one tensor per expert.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import distributed, multiprocessing
from transformers import AutoConfig

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo_training.batches import make_batch  # noqa: E402
from demo_training.export import export_folder  # noqa: E402
from demo_training.samples import Writer  # noqa: E402
from demo_training.trainer import Schedule, Trainer  # noqa: E402

CHECKPOINT = ROOT / "mlx_glm45v" / "demo" / "checkpoint"
SAVE_SECONDS = 300


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument(
        "--polish", type=int, nargs="*", default=(), help="rounds of steps after them"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=24, help="pictures of a worker")
    parser.add_argument(
        "--workers", type=int, default=2, help="processes, one core each"
    )
    parser.add_argument(
        "--export", type=Path, help="write this folder and train nothing"
    )
    return parser.parse_args()


def truncate_log(path: Path, *, step: int) -> None:
    """Drop the lines of steps that a resumed run takes again."""
    if not path.exists():
        path.write_text("step,words,naming,rate,seconds\n")
        return
    head, *lines = path.read_text().splitlines()
    kept = [line for line in lines if int(line.split(",")[0]) <= step]
    path.write_text("\n".join([head, *kept]) + "\n")


def train(
    trainer: Trainer, writer: Writer, options: argparse.Namespace, *, worker: int
) -> None:
    """Take the steps that are left; worker 0 keeps the log and the state."""
    state, log = options.out / "state.pt", options.out / "loss.csv"
    if worker == 0:
        truncate_log(log, step=trainer.step)
    pad_id = trainer.model.config.text_config.pad_token_id
    saved = time.monotonic()
    with log.open("a", buffering=1) as lines:
        while trainer.step < trainer.schedule.end:
            began = time.monotonic()
            batch = make_batch(
                writer,
                seed=options.seed,
                step=trainer.step,
                pad_id=pad_id,
                worker=worker,
                rows=options.rows,
            )
            rate = trainer.schedule.rate(trainer.step)
            losses = trainer.take_step(batch)
            took = time.monotonic() - began
            if worker == 0:
                lines.write(
                    f"{trainer.step},{losses.words:.4f},{losses.naming:.4f},"
                    f"{rate:.6f},{took:.3f}\n"
                )
                if time.monotonic() - saved > SAVE_SECONDS:
                    trainer.save(state)
                    saved = time.monotonic()
    if worker == 0:
        trainer.save(state)


def trainer_of(options: argparse.Namespace) -> Trainer:
    """A new trainer, or the stopped run's."""
    config = AutoConfig.from_pretrained(CHECKPOINT)
    schedule = Schedule(options.steps, polish=tuple(options.polish))
    trainer = Trainer(config, schedule=schedule, seed=options.seed)
    state = options.out / "state.pt"
    if state.exists():
        trainer.resume(state)
        print(f"resumed at step {trainer.step}", flush=True)
    return trainer


def work(worker: int, options: argparse.Namespace) -> None:
    """One of the training processes."""
    torch.set_num_threads(1)
    meeting = distributed.FileStore(str(options.out / "meeting"), options.workers)
    distributed.init_process_group(
        "gloo", store=meeting, rank=worker, world_size=options.workers
    )
    tokenizer = Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))
    train(trainer_of(options), Writer(tokenizer), options, worker=worker)
    distributed.destroy_process_group()


def main() -> None:
    """Train or export."""
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.export:
        trainer = trainer_of(options)
        export_folder(trainer.average, options.export)
        print(f"wrote step {trainer.step} to {options.export}")
        return
    (options.out / "meeting").unlink(missing_ok=True)
    multiprocessing.spawn(work, (options,), nprocs=options.workers)
    print("done")


if __name__ == "__main__":
    main()
