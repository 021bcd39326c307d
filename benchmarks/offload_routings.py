"""Which experts tokens choose, layer by layer: made up, or recorded from the demo.

A routing is (tokens, layers, chosen) of expert numbers; a guess at it, made one layer
before, has the same shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

Routing = NDArray[np.int32]


@dataclass(frozen=True)
class Skew:
    """How chosen experts differ from dice.

    The expert of rank r in its layer is drawn r**-zipf as often as the first; a token
    keeps each expert of the token before with probability `reuse` and draws the rest.
    Layers' exponents lie evenly between `zipf[0]` and `zipf[1]`, in random order.
    """

    name: str
    zipf: tuple[float, float]
    reuse: float


UNIFORM = Skew("uniform", (0.0, 0.0), 0.0)
MILD = Skew("mild", (0.4, 0.4), 0.2)
STRONG = Skew("strong", (0.8, 0.8), 0.4)
UNEVEN = Skew("uneven", (0.0, 1.2), 0.3)


def popularities(
    skew: Skew, *, layers: int, experts: int, seed: int
) -> NDArray[np.float64]:
    """How often each expert is drawn: (layers, experts), rows add up to 1."""
    chance = np.random.default_rng((seed, 1))
    exponents = chance.permutation(np.linspace(*skew.zipf, layers))
    weights = np.arange(1, experts + 1) ** -exponents[:, None]
    return chance.permuted(weights / weights.sum(-1, keepdims=True), axis=-1)


def make_routing(
    skew: Skew, *, tokens: int, layers: int, experts: int, chosen: int, seed: int
) -> Routing:
    """`chosen` different experts a token and layer."""
    chance = np.random.default_rng((seed, 2))
    odds = np.log(popularities(skew, layers=layers, experts=experts, seed=seed))
    before = np.zeros((layers, experts), bool)
    rows = []
    for _ in range(tokens):
        # Gumbel's way to draw without replacement; what is kept outranks all.
        rank = odds + chance.gumbel(size=odds.shape)
        rank[before & (chance.random(odds.shape) < skew.reuse)] = np.inf
        picked = np.argpartition(-rank, chosen - 1, axis=-1)[:, :chosen]
        before = np.zeros_like(before)
        np.put_along_axis(before, picked, True, axis=-1)
        rows.append(picked)
    return np.stack(rows).astype(np.int32)


def make_guess(routing: Routing, *, experts: int, recall: float, seed: int) -> Routing:
    """As many guesses as choices, each right with probability `recall`."""
    chance = np.random.default_rng((seed, 3))
    order = chance.random((*routing.shape[:2], experts))
    np.put_along_axis(order, routing, np.inf, axis=-1)
    others = np.argpartition(order, routing.shape[-1] - 1, axis=-1)
    wrong = others[..., : routing.shape[-1]].astype(np.int32)
    return np.where(chance.random(routing.shape) < recall, routing, wrong)


def kept_from_before(routing: Routing) -> float:
    """The part of choices that the token before made in the same layer, too."""
    same = routing[1:, :, :, None] == routing[:-1, :, None, :]
    return float(same.any(-1).mean())


def right_guesses(guess: Routing, routing: Routing) -> float:
    """The part of guesses that were chosen; with as many of both also the recall.

    Of the layers after the first, for which nobody guesses.
    """
    right = (guess[:, 1:, :, None] == routing[:, 1:, None, :]).any(-1)
    return float(right.mean())


@dataclass(frozen=True)
class Recorded:
    """What a model chose, and what the layer before would have guessed."""

    routing: Routing
    guess: Routing
    experts: int


def record_demo(*, questions: int, seed: int) -> Recorded:
    """The packaged demo over questions about drawings and their right answers.

    Tokens of pictures are left out: it is decoding that is replayed. The guess is the
    next layer's router on this layer's residual; the engine makes none.
    """
    import mlx.core as mx

    from benchmarks.offload_listening import Listener
    from mlx_glm45v import ImagePart, Message, TextPart, load
    from mlx_glm45v.demo.questions import count, describe
    from mlx_glm45v.demo.scenes import draw, random_scene

    model, processor = load("demo", dtype=mx.float32, force=True)
    listener = Listener(model)
    parts: list[tuple[Routing, Routing]] = []
    for number in range(questions):
        dice = Random(f"{seed} {number}")
        scene = random_scene(dice)
        asked = (describe if number % 2 else count)(dice, scene)
        prompt = processor.prompt(
            [
                Message("user", [ImagePart(draw(scene)), TextPart(asked.question)]),
                Message("assistant", asked.answer),
            ],
            thinking=False,
            continue_final_message=True,
        )
        (span,) = prompt.spans
        heard = listener.run(
            mx.array(prompt.token_ids[None]),
            position_ids=mx.array(prompt.positions[:, None]),
            pixel_values=mx.array(span.pixel_values),
            image_grid_thw=[span.grid_thw],
        )
        words = np.r_[0 : span.start, span.stop : len(prompt.token_ids)]
        parts.append((heard[0][words], heard[1][words]))
    routing, guess = (_joined([part[side] for part in parts]) for side in (0, 1))
    return Recorded(routing, guess, model.config.text_config.n_routed_experts)


def _joined(parts: Sequence[Routing]) -> Routing:
    return np.concatenate(parts).astype(np.int32)
