"""Features of pictures that were encoded before, by what is in the pictures.

Knows keys and bytes. Does not know the vision tower, prompts or conversations.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container

import mlx.core as mx

FeatureKey = tuple[str, tuple[int, int, int]]  # digest and grid of a span


class FeatureCache:
    """The features used last, of all conversations, within `max_bytes`.

    Belongs to one model. What is larger than all of it is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[FeatureKey, mx.array] = OrderedDict()
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: FeatureKey) -> mx.array | None:
        """The features (placeholders, hidden), now the ones used last."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def put(self, key: FeatureKey, features: mx.array) -> None:
        """Keep evaluated features; those unused for longest leave for them."""
        if key in self._kept or features.nbytes > self._max_bytes:
            return
        self._kept[key] = features
        self.nbytes += features.nbytes
        while self.nbytes > self._max_bytes:
            self.forget_oldest()

    def forget_oldest(self, *, but: Container[FeatureKey] = ()) -> bool:
        """Lets those go that were unused for longest; whether there were any `but`."""
        for key in self._kept:
            if key not in but:
                self.nbytes -= self._kept.pop(key).nbytes
                return True
        return False

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()
        self.nbytes = 0
