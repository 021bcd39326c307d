"""Keys and values of several rows, quantised, padded left as mlx-lm's batches are.

mlx-lm has batches of whole numbers only. A quantised array is three (packed numbers,
scales, biases), and each of them is laid out, grown, filtered and padded like a whole
one: three of mlx-lm's batches make a quantised one. Knows no tokens and no rows' ends.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import BatchKVCache, KVCache, QuantizedKVCache

Quantised = tuple[mx.array, ...]  # packed, scales, biases


class BatchQuantizedKVCache:
    """One layer's keys and values, with the interface of mlx-lm's `BatchKVCache`.

    Each row's numbers are quantised as `QuantizedKVCache` does, token by token, so that
    a row holds what it would hold alone. Padding is zeros and is never seen.
    """

    def __init__(self, layer: QuantizedKVCache) -> None:
        """A batch of one row: a copy of `layer`, which holds tokens."""
        self.group_size, self.bits = layer.group_size, layer.bits
        assert layer.keys is not None
        assert layer.values is not None
        self._parts = [
            BatchKVCache.merge([KVCache.from_state((*part, layer.offset))])
            for part in zip(layer.keys, layer.values, strict=True)
        ]

    @property
    def offset(self) -> mx.array:
        """Tokens of each row (B,)."""
        return self._parts[0].offset

    @offset.setter
    def offset(self, offset: mx.array) -> None:
        for part in self._parts:
            part.offset = offset

    @property
    def state(self) -> list[Any]:
        """All arrays, for evaluation."""
        return [part.state for part in self._parts]

    def update_and_fetch(
        self, keys: mx.array, values: mx.array
    ) -> tuple[Quantised, Quantised]:
        """Takes in (B, heads, L, D) each; gives all there are, quantised."""
        quantised = zip(self._quantised(keys), self._quantised(values), strict=True)
        fetched = [
            part.update_and_fetch(*each)
            for part, each in zip(self._parts, quantised, strict=True)
        ]
        return tuple(keys for keys, _ in fetched), tuple(
            values for _, values in fetched
        )

    def make_mask(self, *args: Any, **kwargs: Any) -> mx.array:
        """True where a query sees a key: mlx-lm's arguments."""
        return self._parts[0].make_mask(*args, **kwargs)

    def filter(self, rows: mx.array) -> None:
        """Lets all rows go but these, in this order."""
        for part in self._parts:
            part.filter(rows)

    def extend(self, other: BatchQuantizedKVCache) -> None:
        """Adds the rows of `other`."""
        for mine, part in zip(self._parts, other._parts, strict=True):
            mine.extend(part)

    def _quantised(self, array: mx.array) -> Quantised:
        return mx.quantize(array, group_size=self.group_size, bits=self.bits)
