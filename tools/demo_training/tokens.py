"""Which tokenizer weights were learned with: under another their words are scrambled.

Knows a folder's tokenizer as a digest. Does not know weights.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

TOKENIZER = "tokenizer.json"


class OtherTokenizerError(ValueError):
    """Weights would stand beside a tokenizer that they were not learned with."""


def tokenizer_digest(folder: Path) -> str:
    """The SHA-256 of the folder's tokenizer, however its JSON is laid out.

    Raises FileNotFoundError.
    """
    told = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def require_tokenizer(folder: Path, digest: str) -> None:
    """Raise OtherTokenizerError unless the folder's tokenizer is that of the digest."""
    if tokenizer_digest(folder) != digest:
        raise OtherTokenizerError(
            f"{folder / TOKENIZER} is another tokenizer than the run's: the words of "
            "its weights would be scrambled"
        )
