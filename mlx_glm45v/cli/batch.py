"""`--batch`: every line of a file is asked, every answer is a line of another.

Knows the order of a run and how it ends. Does not know how lines are read, kept or
answered.
"""

from __future__ import annotations

import threading
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mlx_glm45v.batch import (
    BatchProgress,
    Result,
    check_batch_options,
    generate_batch,
)
from mlx_glm45v.cli.batch_bar import BatchBar
from mlx_glm45v.cli.batch_lines import BatchLine, read_lines
from mlx_glm45v.cli.batch_output import BatchOutput, PrintedOutput, as_record
from mlx_glm45v.cli.interrupts import asks_first
from mlx_glm45v.cli.preparing import chat_options, experts_noted, loaded
from mlx_glm45v.cli.saving import reply_row
from mlx_glm45v.cli.statuses import DONE, FAILED, INTERRUPTED
from mlx_glm45v.cli.terminal import Terminal
from mlx_glm45v.errors import Cancelled
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from mlx_glm45v.processing.processor import Processor
from mlx_glm45v.replies import Reply


def run_batch(arguments: Namespace) -> int:
    """Runs a batch and returns the exit status.

    Raises:
        Glm45vError: a file or the model cannot be used.
    """
    terminal = Terminal()
    lines = read_lines(arguments)
    output = BatchOutput(Path(arguments.output)) if arguments.output else None
    kept = PrintedOutput() if output is None else output
    try:
        run = _Run(arguments, terminal, lines, kept)
        with asks_first(run.stop.set):
            stopped = run.all()
        if stopped:
            terminal.note(_how_to_go_on(run.done, len(lines), arguments.output))
            return INTERRUPTED
        kept.finish(lines)
        return FAILED if run.failed else DONE
    finally:
        kept.close()


class _Run:
    """One run: what is left of the lines, what came of them."""

    def __init__(
        self,
        arguments: Namespace,
        terminal: Terminal,
        lines: Sequence[BatchLine],
        output: BatchOutput | PrintedOutput,
    ) -> None:
        self._arguments = arguments
        self._terminal = terminal
        self._output = output
        self._waiting = output.waiting(lines)
        self._total = len(lines)
        self.stop = threading.Event()
        self._before = self._total - len(self._waiting)
        self._answered = self._tokens = 0
        self.failed = 0
        if self._before:
            terminal.note(f"{self._before:,} of {self._total:,} lines have answers")
        if old := output.left_over(lines):
            terminal.note(
                f"{old:,} answers are to lines that were changed, or whose media were, "
                "or that are there no more; they go when all lines have theirs"
            )

    @property
    def done(self) -> int:
        """Lines that have an answer or an error, those of earlier runs too."""
        return self._before + self._answered + self.failed

    def all(self) -> bool:
        """Asks every line that is left; whether it was stopped before the end."""
        for line in self._waiting:
            if line.error is not None:
                self._fail(line, line.error)
        asked = [line for line in self._waiting if line.error is None]
        if asked:
            with suppress(Cancelled):
                model, processor = loaded(
                    self._arguments, self._terminal, self.stop.is_set
                )
                with experts_noted(model, self._arguments, self._terminal):
                    self._ask(model, processor, asked)
        return self.done < self._total

    def _ask(
        self,
        model: Glm4vMoeForConditionalGeneration,
        processor: Processor,
        asked: Sequence[BatchLine],
    ) -> None:
        options = chat_options(self._arguments, processor.generation_config)
        check_batch_options(model, options)
        bar = BatchBar(self._terminal, total=self._total, before=self.done)

        def show(progress: BatchProgress) -> None:
            self._tokens = progress.generated_tokens
            bar.show(progress.done, progress.generated_tokens)

        results = generate_batch(
            model,
            processor,
            (line.messages for line in asked),
            (replace(options, thinking=line.thinking) for line in asked),
            batch_size=self._arguments.batch_size,
            progress=show,
            should_stop=self.stop.is_set,
        )
        self._take(asked, results)
        self._terminal.note(bar.summary(self._answered, self.failed, self._tokens))

    def _take(self, asked: Sequence[BatchLine], results: Iterator[Result]) -> None:
        for index, result in results:
            if not isinstance(result, Reply):
                self._fail(asked[index], " ".join(str(result).split()))
            elif result.reason != "cancelled":
                self._output.append(as_record(asked[index], reply_row(result)))
                self._answered += 1

    def _fail(self, line: BatchLine, error: str) -> None:
        self._output.append(as_record(line, {"error": error}))
        self.failed += 1
        self._terminal.note(f"line {line.number}: {error}")


def _how_to_go_on(done: int, total: int, output: str | None) -> str:
    if output is None:
        return (
            f"stopped after {done:,} of {total:,} lines. With --output OUT.jsonl a run "
            "can go on later"
        )
    return (
        f"stopped: {done:,} of {total:,} lines are in {output}. "
        "The same command goes on from there"
    )
