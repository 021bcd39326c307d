"""When an answer ends, and when its thinking has to.

Knows ends, caps and budgets. Does not know the model or how text is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mlx_glm45v.generation.clock import Clock
from mlx_glm45v.generation.decode import Decoder
from mlx_glm45v.generation.events import ClosedBy, FinishReason, TextDelta
from mlx_glm45v.generation.loops import LoopGuard
from mlx_glm45v.generation.pieces import ShouldStop, check
from mlx_glm45v.generation.transcript import Transcript


@dataclass(frozen=True)
class GenerationOptions:
    """When an answer ends and how the prompt is read.

    `max_tokens` counts thinking and answer together; the context may end it earlier.
    `stop` strings end the answer and never appear in it. After `thinking_budget` tokens
    of thinking the model is made to close it and to answer (None: no limit).
    `prefill_step_size` is the most prompt tokens computed at once (None: 2048, or with
    streamed experts what memory allows). A block of tokens
    that repeats over `repetition_run` tokens or more (0: however many) closes thinking,
    and ends an answer with reason "repetition".

    Raises:
        ValueError: a value is outside its range; the message names the field.
    """

    max_tokens: int = 4096
    stop: tuple[str, ...] = ()
    eos_token_ids: frozenset[int] = frozenset()
    thinking_budget: int | None = None
    prefill_step_size: int | None = None
    repetition_run: int = 256

    def __post_init__(self) -> None:
        if self.repetition_run < 0:
            raise ValueError(
                f"repetition_run must be 0 or more, not {self.repetition_run}"
            )
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {self.max_tokens}")
        if self.thinking_budget is not None and self.thinking_budget < 0:
            raise ValueError(
                f"thinking_budget must be 0 or more, not {self.thinking_budget}"
            )
        if self.prefill_step_size is not None and self.prefill_step_size < 1:
            raise ValueError(
                f"prefill_step_size must be at least 1, not {self.prefill_step_size}"
            )
        if isinstance(self.stop, str):
            raise ValueError(f"stop is a list of strings; write [{self.stop!r}]")
        if "" in self.stop:
            raise ValueError("stop holds an empty string, which would end any answer")


class Answer:
    """One answer on its way: how long it is and why it ended.

    `limit` is the most tokens it may take. `close_ids` are fed to end thinking; with
    none, thinking ends when the model ends it. Either `deltas` runs it to its end, or
    the caller feeds the model and tells it of each token (`must_close`, `close`,
    `take`) until it has `ended`; then comes `rest`, and `reason` is valid. `closed_by`
    says what forced thinking to end, if something did.
    """

    def __init__(
        self,
        transcript: Transcript,
        options: GenerationOptions,
        *,
        limit: int,
        close_ids: tuple[int, ...],
        should_stop: ShouldStop | None,
        answer_now: Callable[[], bool] | None,
    ) -> None:
        self._transcript = transcript
        self._options = options
        self._limit = limit
        self.close_ids = close_ids
        self._should_stop = should_stop
        self._answer_now = answer_now
        self._hurried = False
        self._guard = LoopGuard(options.repetition_run)
        self.generated = 0
        self.closed_by: ClosedBy | None = None
        self.ended = False
        self.reason: FinishReason = "cancelled"

    @property
    def thinking_tokens(self) -> int:
        """Tokens of thinking, its tags and the forced end not included."""
        return self._transcript.thinking_tokens

    @property
    def next_is_last(self) -> bool:
        """Whether there is room for one more token only."""
        return self.generated + 1 == self._limit

    def deltas(self, decoder: Decoder, clock: Clock) -> Iterator[TextDelta]:
        """Text until the answer ends; `reason` then says why.

        Raises:
            Cancelled: `should_stop` said so.
        """
        while not self.ended:
            check(self._should_stop)
            if self.must_close():
                decoder.force(self.close_ids)
                yield from self.close()
            token = decoder.read(last=self.next_is_last)
            clock.enter("decode")
            yield from self.take(token)

    def take(self, token: int) -> list[TextDelta]:
        """The text that `token`, the model's next, makes certain; perhaps the end."""
        at_limit = self.next_is_last
        self.generated += 1
        if token in self._options.eos_token_ids:
            self._end("stop")
            return []
        deltas = self._transcript.add(token)
        if self._transcript.stopped or at_limit:
            self._end("stop" if self._transcript.stopped else "length")
            return deltas
        self._guard.add(token)
        if self._guard.looping and not self.must_close():
            self._end("repetition")
        return deltas

    def rest(self) -> Iterator[TextDelta]:
        """Text held back until the end."""
        yield from self._transcript.finish()
        if self._transcript.stopped:
            self.reason = "stop"

    def must_close(self) -> bool:
        """Whether `close_ids` have to take the place of the next token."""
        if self._answer_now is not None and self._answer_now():
            self._hurried = True
        at_once = self._hurried or self._guard.looping
        budget = 0 if at_once else self._options.thinking_budget
        return bool(
            budget is not None
            and self._transcript.thinking
            and self.close_ids
            and self.thinking_tokens >= budget
            # Without room for a word of answer, thinking may as well go on.
            and self.generated + len(self.close_ids) < self._limit
        )

    def close(self) -> list[TextDelta]:
        """Notes that `close_ids` were fed, and why; their text, if they have any."""
        self.closed_by = "budget"
        if self._hurried:
            self.closed_by = "request"
        elif self._guard.looping:
            self.closed_by = "repetition"
        self._guard.restart()
        self.generated += len(self.close_ids)
        return [
            delta
            for token in self.close_ids
            for delta in self._transcript.add(token, counted=False)
        ]

    def _end(self, reason: FinishReason) -> None:
        self.ended = True
        self.reason = reason
