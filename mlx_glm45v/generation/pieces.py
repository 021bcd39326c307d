"""How much may be evaluated at once, so that a stop takes effect well under a second.

Knows arithmetic on configs. Does not know what is being computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import mlx.core as mx

from mlx_glm45v.config import Glm4vMoeTextConfig, Glm4vMoeVisionConfig
from mlx_glm45v.errors import Cancelled

# About a third of a second on an M4 Max; the house's limit is 10 TFLOP.
PIECE_FLOPS = 5e12

ShouldStop = Callable[[], bool]


class Pieces:
    """Evaluates hidden states every few layers and asks in between whether to stop.

    Pass it as `on_layer` or `on_block`. It stops only right after an evaluation: no
    layer is left with keys that nobody computed.
    """

    def __init__(self, flops_per_layer: float, should_stop: ShouldStop | None) -> None:
        self._size = max(1, int(PIECE_FLOPS // max(flops_per_layer, 1.0)))
        self._should_stop = should_stop
        self._waiting = 0

    def __call__(self, hidden_states: mx.array) -> None:
        """Counts a layer; evaluates when a piece is full.

        Raises:
            Cancelled: `should_stop` said so.
        """
        self._waiting += 1
        if self._waiting < self._size:
            return
        self._waiting = 0
        mx.eval(hidden_states)
        check(self._should_stop)


def check(should_stop: ShouldStop | None) -> None:
    """Raises Cancelled when `should_stop` says so."""
    if should_stop is not None and should_stop():
        raise Cancelled("stopped on request")


def decoder_layer_flops(
    config: Glm4vMoeTextConfig, *, tokens: int, context: int
) -> float:
    """Floating-point operations of one decoder layer for `tokens` new tokens.

    `context` counts all tokens attended to, the new ones included.
    """
    hidden = config.hidden_size
    query = config.num_attention_heads * config.size_of_head
    key_value = config.num_key_value_heads * config.size_of_head
    experts = config.num_experts_per_tok + config.n_shared_experts
    width = max(config.intermediate_size, experts * config.moe_intermediate_size)
    weights = hidden * (2 * query + 2 * key_value + 3 * width)
    return tokens * (2.0 * weights + 4.0 * context * query)


def vision_block_flops(config: Glm4vMoeVisionConfig, frames: Iterable[int]) -> float:
    """Floating-point operations of one vision block; `frames` are patches per frame."""
    hidden = config.hidden_size
    weights = hidden * (4 * hidden + 3 * config.out_hidden_size)
    return sum(
        2.0 * patches * weights + 4.0 * patches**2 * hidden for patches in frames
    )
