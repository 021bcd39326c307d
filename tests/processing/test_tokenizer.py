import json
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers

from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.processing.tokenizer import Tokenizer

SHARED_RANKS = Path(__file__).parents[2] / "../shared/tokenizer/glm4.tiktoken"


@pytest.fixture(scope="module")
def tokenizer(demo_folder) -> Tokenizer:
    return Tokenizer.from_folder(demo_folder)


def incremental(tokenizer, ids):
    detokenizer = tokenizer.detokenizer()
    pieces = [detokenizer.add(token) for token in ids]
    return [*pieces, detokenizer.finish()]


@given(text=st.text(max_size=40))
def test_any_text_comes_back_whole_and_piece_by_piece(tokenizer, text):
    ids = tokenizer.encode_literally(text)
    assert tokenizer.decode(ids) == text
    assert "".join(incremental(tokenizer, ids)) == text


@given(text=st.text(max_size=20))
def test_no_piece_ends_inside_a_character(tokenizer, text):
    for piece in incremental(tokenizer, tokenizer.encode_literally(text)):
        assert "�" not in piece or "�" in text


def test_an_unfinished_character_is_told_at_the_end(tokenizer):
    ids = tokenizer.encode("漢")[:-1]
    assert incremental(tokenizer, ids)[:-1] == [""] * len(ids)
    assert "�" in incremental(tokenizer, ids)[-1]


def test_special_tokens_are_one_id_and_spelled_out_when_decoded(tokenizer):
    ids = tokenizer.encode("<|user|>")
    assert ids == [tokenizer.id_of("<|user|>")]
    assert incremental(tokenizer, ids)[0] == "<|user|>"


def test_a_literal_special_token_is_only_letters(tokenizer):
    ids = tokenizer.encode_literally("<|image|>")
    assert tokenizer.id_of("<|image|>") not in ids
    assert tokenizer.decode(ids) == "<|image|>"


def test_an_unknown_token_has_no_id(tokenizer):
    assert tokenizer.id_of("<|smell|>") is None


@pytest.mark.parametrize("content", [None, "", "{}", "not json"])
def test_a_missing_or_broken_file_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        Tokenizer.from_folder(tmp_path)


def test_a_tokenizer_that_truncates_is_not_obeyed(tmp_path, demo_folder):
    state = json.loads((demo_folder / "tokenizer.json").read_text())
    state["truncation"] = {
        "direction": "Right",
        "max_length": 3,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(state))
    assert len(Tokenizer.from_folder(tmp_path).encode("x" * 50)) > 3


def glm_tokenizer(ranks: dict[bytes, int]) -> Tokenizer:
    """GLM's published byte-pair ranks as a `tokenizers` model."""
    alphabet = byte_alphabet()
    name = {token: "".join(alphabet[byte] for byte in token) for token in ranks}
    merges = [
        (name[left], name[right])
        for token in sorted(ranks, key=ranks.__getitem__)
        for left, right in splits(token, ranks)
    ]
    backend = tokenizers.Tokenizer(
        models.BPE(
            vocab={name[token]: rank for token, rank in ranks.items()}, merges=merges
        )
    )
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    return Tokenizer(backend)


def byte_alphabet() -> dict[int, str]:
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(256 + index) for index, byte in enumerate(others)
    }


def splits(token: bytes, ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Every pair of known pieces that makes `token`, the earlier pieces first."""
    pairs = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
    known = [(left, right) for left, right in pairs if left in ranks and right in ranks]
    return sorted(known, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))


@pytest.mark.skipif(not SHARED_RANKS.exists(), reason="GLM's ranks are not at hand")
def test_glms_own_vocabulary_gives_the_published_ids():
    import base64

    lines = SHARED_RANKS.read_bytes().split(b"\n")
    ranks = {
        base64.b64decode(token): int(rank)
        for token, rank in (line.split() for line in lines if line)
    }
    tokenizer = glm_tokenizer(ranks)
    assert tokenizer.encode("What kind of dog is") == [3838, 3093, 315, 5562, 374]
    assert tokenizer.encode("Describe this image.") == [74198, 419, 2168, 13]
    text = "Grüße 漢字 😀 1234567\n\n  x"
    assert "".join(incremental(tokenizer, tokenizer.encode(text))) == text
