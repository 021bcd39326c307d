"""Text to token ids and back, through the checkpoint's own `tokenizer.json`.

Knows vocabulary and incremental decoding. Does not know templates, roles or what a
marker means.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import tokenizers
from tokenizers.decoders import DecodeStream

from mlx_glm45v.errors import CheckpointError


class Tokenizer:
    """A checkpoint's vocabulary."""

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        self._backend = backend
        # A tokenizer.json may ask for truncation or padding; a prompt wants neither.
        self._backend.no_truncation()
        self._backend.no_padding()

    @classmethod
    def from_folder(cls, folder: Path) -> Tokenizer:
        """Reads `tokenizer.json`.

        Raises:
            CheckpointError: the file is missing or is not a tokenizer.
        """
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise CheckpointError(
                f"{folder} has no tokenizer.json; fetch the checkpoint's files again"
            )
        try:
            return cls(tokenizers.Tokenizer.from_file(str(path)))
        except Exception as error:  # tokenizers raises bare Exception
            raise CheckpointError(f"{path} is not a tokenizer: {error}") from error

    @cached_property
    def _without_added_tokens(self) -> tokenizers.Tokenizer:
        # Seldom needed and slow to build for 150,000 tokens.
        state = json.loads(self._backend.to_str())
        state["added_tokens"] = []
        return tokenizers.Tokenizer.from_str(json.dumps(state))

    def __len__(self) -> int:
        return self._backend.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str) -> list[int]:
        """Ids of `text`; special tokens spelled in it become their ids."""
        return self._backend.encode(text, add_special_tokens=False).ids

    def encode_literally(self, text: str) -> list[int]:
        """Ids of `text` as ordinary words, even where it spells a special token."""
        return self._without_added_tokens.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`, special tokens spelled out."""
        return self._backend.decode(list(ids), skip_special_tokens=False)

    def id_of(self, token: str) -> int | None:
        """Id of one token by its exact name; None when there is no such token."""
        return self._backend.token_to_id(token)

    def detokenizer(self) -> Detokenizer:
        """A fresh incremental decoder."""
        return Detokenizer(self._backend)


class Detokenizer:
    """Turns ids into text one by one; a character split over tokens comes out whole."""

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        self._backend = backend
        self._stream = DecodeStream(skip_special_tokens=False)
        self._pending: list[int] = []

    def add(self, token_id: int) -> str:
        """The text that `token_id` completes; empty while a character is incomplete."""
        self._pending.append(token_id)
        text = self._stream.step(self._backend, token_id)
        if text is None:
            return ""
        self._pending.clear()
        return text

    def finish(self) -> str:
        """What is still held back, U+FFFD for bytes that never became a character."""
        rest = self._backend.decode(self._pending, skip_special_tokens=False)
        self._pending.clear()
        return rest
