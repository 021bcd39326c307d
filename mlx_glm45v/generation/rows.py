"""Requests that are answered together: who has a row, what each row says, who leaves.

Knows the order of the work. Does not know messages or files. All of it runs in one
thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlx_glm45v.generation.batch_decode import BatchDecoder
from mlx_glm45v.generation.cache import AS_MADE, KVPrecision, PromptCache
from mlx_glm45v.generation.events import Event
from mlx_glm45v.generation.features import FeatureCache
from mlx_glm45v.generation.limits import kv_bytes, working_limits
from mlx_glm45v.generation.pieces import ShouldStop, check
from mlx_glm45v.generation.request import Request
from mlx_glm45v.processing.prompt import Prompt

if TYPE_CHECKING:
    from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration

Said = tuple[int, Event]  # the number its caller gave a request, and what it says


@dataclass(frozen=True, eq=False)
class _Row:
    number: int
    request: Request
    precision: KVPrecision


class Rows:
    """The requests being answered.

    After `Cancelled` only `cancelled` is left to be asked.
    """

    def __init__(
        self,
        model: Glm4vMoeForConditionalGeneration,
        should_stop: ShouldStop | None = None,
    ) -> None:
        self._model = model
        self._should_stop = should_stop
        self._decoder = BatchDecoder(model)
        self._rows: list[_Row] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def generated(self) -> int:
        """Tokens that the requests at work have been answered with so far."""
        return sum(row.request.answer.generated for row in self._rows)

    def fits(self, request: Request, precision: KVPrecision = AS_MADE) -> bool:
        """Whether rotary frequencies and the cache's precision allow `request` now.

        Rows at work together have one of each.
        """
        return all(
            row.precision == precision
            and self._regime(row.request) == self._regime(request)
            for row in self._rows
        )

    def add(
        self,
        number: int,
        request: Request,
        prompt: Prompt,
        cache: PromptCache,
        features: FeatureCache | None,
    ) -> None:
        """Reads `prompt` and gives it a row.

        `cache` is the caller's to keep and holds the prompt afterwards.

        Raises:
            Cancelled: `should_stop` said so; the request has no row.
        """
        rope_length = request.rope_length
        with (
            working_limits(self._kv_bytes(rope_length)),
            cache.working(prompt, rope_length=rope_length),
        ):
            steps = request.read(prompt, cache, features)
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    choose, logits = end.value
                    break
            self._decoder.add(cache, choose, logits, rope_length=rope_length)
        # Its first token is on its way. That others are read before it is looked at
        # is not its own prompt's time.
        request.clock.enter("decode")
        self._rows.append(_Row(number, request, cache.precision))

    def until_one_ends(self) -> Iterator[list[Said]]:
        """What is said step by step, up to the end of one answer or several.

        Answers that end in one step end in the order in which they were added.

        Raises:
            Cancelled: `should_stop` said so.
        """
        with working_limits(self._kv_bytes()):
            count = len(self._rows)
            while len(self._rows) == count:
                check(self._should_stop)
                yield self._step()

    def cancelled(self) -> list[Said]:
        """The ends of all answers at work, as far as they came; no row is left."""
        rows, self._rows = self._rows, []
        self._decoder.keep([])
        return [said for row in rows for said in _end(row)]

    def _step(self) -> list[Said]:
        said: list[Said] = []
        for place, row in enumerate(self._rows):
            answer = row.request.answer
            if answer.must_close():
                self._decoder.force(place, answer.close_ids)
                said += [(row.number, delta) for delta in answer.close()]
        last = all(row.request.answer.next_is_last for row in self._rows)
        tokens = self._decoder.read(last=last)
        for row, token in zip(self._rows, tokens, strict=True):
            if token is None:
                continue
            said += [(row.number, delta) for delta in row.request.answer.take(token)]
            if row.request.answer.ended:
                said += _end(row)
        self._let_go()
        return said

    def _let_go(self) -> None:
        rows = self._rows
        going_on = [
            place for place, row in enumerate(rows) if not row.request.answer.ended
        ]
        if len(going_on) < len(rows):
            self._decoder.keep(going_on)
            self._rows = [rows[place] for place in going_on]

    def _regime(self, request: Request) -> object:
        return self._model.rope_regime(request.rope_length)

    def _kv_bytes(self, more_tokens: int = 0) -> int:
        reach = sum(row.request.rope_length for row in self._rows)
        config = self._model.config.text_config
        return kv_bytes(config, tokens=reach + more_tokens)


def _end(row: _Row) -> list[Said]:
    request = row.request
    request.clock.stop()
    deltas = list(request.answer.rest())
    return [(row.number, event) for event in (*deltas, request.finished(alone=False))]
