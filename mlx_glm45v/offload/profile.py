"""What was chosen while a model worked, kept for the next time it is loaded.

For each layer how often each expert was chosen, and how many others had been chosen
since the time before: from the second follows exactly how often a bank of any size that
lets the least recently used leave would have had to read (Mattson and others,
"Evaluation techniques for storage hierarchies", 1970).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import CheckpointError


class ExpertProfile:
    """Counts of the layers with experts, in their order.

    `chosen[layer][expert]`; `depths[layer][n]` counts choices of an expert that n
    different others had been chosen after by earlier tokens, so that a bank of more
    than n slots would have kept it.
    """

    def __init__(self, layers: int, experts: int) -> None:
        self.chosen = [[0] * experts for _ in range(layers)]
        self.depths = [[0] * experts for _ in range(layers)]
        self._recent: list[list[int]] = [[] for _ in range(layers)]

    def add(self, layer: int, experts: Sequence[int]) -> None:
        """One token's choice."""
        recent, depths = self._recent[layer], self.depths[layer]
        for expert in experts:
            self.chosen[layer][expert] += 1
            if expert in recent:
                depths[recent.index(expert)] += 1
        others = [expert for expert in recent if expert not in experts]
        self._recent[layer] = [*reversed(experts), *others]

    def favourites(self, layer: int, count: int) -> list[int]:
        """Up to `count` of those chosen most; none that never was."""
        chosen = self.chosen[layer]
        ranked = sorted(range(len(chosen)), key=lambda expert: -chosen[expert])
        return [expert for expert in ranked[:count] if chosen[expert]]

    @property
    def known(self) -> bool:
        """Whether anything was counted."""
        return any(map(any, self.chosen))

    def depth_rates(self) -> list[list[float]]:
        """`depths` as parts of a layer's choices.

        So layers count alike that were streamed for longer or shorter; one that always
        was in memory, and was never counted, is taken for the mean of the others.
        """
        rates = {
            layer: [depth / sum(self.chosen[layer]) for depth in depths]
            for layer, depths in enumerate(self.depths)
            if any(self.chosen[layer])
        }
        mean = [
            sum(column) / len(rates) for column in zip(*rates.values(), strict=True)
        ]
        return [rates.get(layer, mean) for layer in range(len(self.depths))]

    def save(self, path: Path) -> None:
        """Write it, whole or not at all. Raises OSError."""
        document = {"chosen": self.chosen, "depths": self.depths}
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            beside.write_text(json.dumps(document), encoding="utf-8")
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path, *, layers: int, experts: int) -> ExpertProfile:
        """Read one. Raises `CheckpointError` unless it is of a model of these sizes."""
        profile = cls(layers, experts)
        try:
            document: Any = json.loads(path.read_text(encoding="utf-8"))
            for name in ("chosen", "depths"):
                rows = document[name]
                if [len(row) for row in rows] != [experts] * layers:
                    raise ValueError(f"{name} is not {layers} rows of {experts}")
                if not all(type(n) is int and n >= 0 for row in rows for n in row):
                    raise ValueError(f"{name} holds something else than counts")
                setattr(profile, name, rows)
        except OSError as error:
            raise CheckpointError(
                f"{path} cannot be read as a profile of experts ({error.strerror})"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path} is no profile of this model's experts ({error}); delete it, "
                "or name another"
            ) from error
        return profile
