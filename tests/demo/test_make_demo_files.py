"""Files beside weights: the packaged tokenizer, or a new one where no weights are."""

import json

import pytest
from demo_training.tokens import OtherTokenizerError, tokenizer_digest
from make_demo_files import make_files, vocabulary_texts
from tokenizers import Tokenizer

WORDS = ["The picture shows a red circle.", "What do you see?"]


def test_the_folder_is_the_packaged_one_without_its_weights(demo_folder, tmp_path):
    make_files(tmp_path)
    packaged = {file.name: file.read_bytes() for file in demo_folder.iterdir()}
    del packaged["model.safetensors"]
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == packaged
    make_files(tmp_path)  # again is no matter


def test_a_new_tokenizer_is_of_the_given_words(demo_folder, tmp_path):
    make_files(tmp_path, new_words=WORDS)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert tokenizer_digest(tmp_path) != tokenizer_digest(demo_folder)
    assert len(tokenizer.encode(" picture").ids) == 1
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["image_token_id"] == tokenizer.token_to_id("<|image|>")


def test_a_folder_keeps_its_own_tokenizer(tmp_path):
    make_files(tmp_path, new_words=WORDS)
    own = tokenizer_digest(tmp_path)
    with pytest.raises(OtherTokenizerError, match="another tokenizer"):
        make_files(tmp_path)
    assert tokenizer_digest(tmp_path) == own


def test_weights_keep_their_tokenizer(tmp_path):
    make_files(tmp_path)
    own = tokenizer_digest(tmp_path)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(OtherTokenizerError, match="has weights"):
        make_files(tmp_path, new_words=WORDS)
    assert tokenizer_digest(tmp_path) == own


def test_new_tokenizers_learn_the_lessons_words_but_no_rare_nouns():
    texts = list(vocabulary_texts(rounds=3))
    assert "I do not know. I was never taught that." in texts
    assert any(text.startswith("The picture shows") for text in texts)
    assert not any("zebra" in text for text in texts)
