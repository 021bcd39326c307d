import json

import pytest
from demo_training.tokens import (
    TOKENIZER,
    OtherTokenizerError,
    require_tokenizer,
    tokenizer_digest,
)


def folder_of(path, tokenizer, **layout):
    path.mkdir(exist_ok=True)
    (path / TOKENIZER).write_text(json.dumps(tokenizer, **layout))
    return path


def test_a_digest_is_of_the_tokens_not_of_their_layout(tmp_path):
    first = folder_of(tmp_path / "a", {"model": {"a": 0, "b": 1}, "version": "1"})
    second = {"version": "1", "model": {"b": 1, "a": 0}}
    same = folder_of(tmp_path / "b", second, indent=2)
    other = folder_of(tmp_path / "c", {"model": {"a": 1, "b": 0}, "version": "1"})
    assert tokenizer_digest(same) == tokenizer_digest(first)
    assert tokenizer_digest(other) != tokenizer_digest(first)


def test_the_order_of_merges_counts(tmp_path):
    first = folder_of(tmp_path / "a", {"merges": [["a", "b"], ["b", "c"]]})
    other = folder_of(tmp_path / "b", {"merges": [["b", "c"], ["a", "b"]]})
    with pytest.raises(OtherTokenizerError, match="another tokenizer"):
        require_tokenizer(other, tokenizer_digest(first))
    require_tokenizer(first, tokenizer_digest(first))


def test_a_folder_without_a_tokenizer_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=TOKENIZER):
        require_tokenizer(tmp_path, "any")
