"""The packaged folder: its layout is the published one, its size is small."""

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

CONTROLS = [
    "<|endoftext|>",
    "[MASK]",
    "[gMASK]",
    "[sMASK]",
    "<sop>",
    "<eop>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|observation|>",
    "<|begin_of_image|>",
    "<|end_of_image|>",
    "<|begin_of_video|>",
    "<|end_of_video|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<arg_key>",
    "</arg_key>",
    "<arg_value>",
    "</arg_value>",
    "/nothink",
    "<|begin_of_box|>",
    "<|end_of_box|>",
    "<|image|>",
    "<|video|>",
]


@pytest.fixture(scope="module")
def config(demo_folder):
    return json.loads((demo_folder / "config.json").read_text())


@pytest.fixture(scope="module")
def tokenizer(demo_folder):
    return Tokenizer.from_file(str(demo_folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def tensors(demo_folder):
    with (demo_folder / "model.safetensors").open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    assert header.pop("__metadata__") == {"format": "pt"}
    return header


def test_the_package_data_are_small(demo_folder, demo_media):
    files = [*demo_folder.iterdir(), *demo_media.iterdir()]
    assert sum(file.stat().st_size for file in files) < 12e6


def test_it_has_a_few_million_parameters(tensors):
    count = sum(math.prod(tensor["shape"]) for tensor in tensors.values())
    assert 1.5e6 < count < 5e6


def test_sizes_can_be_quantised_in_groups_of_64(config):
    text, vision = config["text_config"], config["vision_config"]
    widths = ("hidden_size", "intermediate_size", "moe_intermediate_size")
    sizes = [text[name] for name in widths]
    sizes += [vision[name] for name in ("hidden_size", "intermediate_size")]
    sizes += [vision["out_hidden_size"], text["head_dim"]]
    assert not any(size % 64 for size in sizes)
    assert text["head_dim"] == vision["hidden_size"] // vision["num_heads"] == 64


def test_every_expert_has_tensors_of_its_own(tensors, config):
    text = config["text_config"]
    hidden, width = text["hidden_size"], text["moe_intermediate_size"]
    shapes = {
        "gate_proj": [width, hidden],
        "up_proj": [width, hidden],
        "down_proj": [hidden, width],
    }
    expected = {
        f"model.language_model.layers.{layer}.mlp.experts.{expert}.{name}.weight": shape
        for layer in range(text["first_k_dense_replace"], text["num_hidden_layers"])
        for expert in range(text["n_routed_experts"])
        for name, shape in shapes.items()
    }
    found = {name: t["shape"] for name, t in tensors.items() if ".experts." in name}
    assert found == expected


@pytest.mark.parametrize(
    "name",
    [
        "lm_head.weight",
        "model.language_model.embed_tokens.weight",
        "model.language_model.norm.weight",
        "model.language_model.layers.0.mlp.gate_proj.weight",
        "model.language_model.layers.0.self_attn.q_proj.bias",
        "model.language_model.layers.1.mlp.gate.weight",
        "model.language_model.layers.1.mlp.gate.e_score_correction_bias",
        "model.language_model.layers.1.mlp.shared_experts.down_proj.weight",
        "model.visual.patch_embed.proj.weight",
        "model.visual.embeddings.position_embedding.weight",
        "model.visual.post_conv_layernorm.weight",
        "model.visual.blocks.3.attn.qkv.weight",
        "model.visual.post_layernorm.weight",
        "model.visual.downsample.bias",
        "model.visual.merger.post_projection_norm.weight",
    ],
)
def test_tensors_carry_the_published_names(tensors, name):
    assert name in tensors


def test_only_the_correction_bias_is_float32(tensors):
    full = {name for name, tensor in tensors.items() if tensor["dtype"] == "F32"}
    assert full == {name for name in tensors if name.endswith("correction_bias")}
    assert {tensor["dtype"] for tensor in tensors.values()} == {"F32", "BF16"}


@pytest.mark.parametrize("token", CONTROLS)
def test_glms_special_tokens_are_one_id_each(tokenizer, token):
    assert tokenizer.encode(token).ids == [tokenizer.token_to_id(token)]


def test_the_config_names_the_tokenizers_ids(config, tokenizer):
    assert config["image_token_id"] == tokenizer.token_to_id("<|image|>")
    assert config["video_token_id"] == tokenizer.token_to_id("<|video|>")
    for key, token in {
        "image_start_token_id": "<|begin_of_image|>",
        "image_end_token_id": "<|end_of_image|>",
        "video_start_token_id": "<|begin_of_video|>",
        "video_end_token_id": "<|end_of_video|>",
    }.items():
        assert config[key] == tokenizer.token_to_id(token)
    ends = ("<|endoftext|>", "<|user|>", "<|observation|>")
    assert config["text_config"]["eos_token_id"] == [
        tokenizer.token_to_id(token) for token in ends
    ]
    assert config["text_config"]["vocab_size"] >= tokenizer.get_vocab_size()


@given(st.text(max_size=40))
def test_any_text_can_be_written(tokenizer, text):
    ids = tokenizer.encode(text).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_a_word_of_the_scenes_is_one_token(tokenizer):
    for word in (" circle", " red", " picture", " right"):
        assert len(tokenizer.encode(word).ids) == 1


def test_decoding_is_greedy(demo_folder):
    settings = json.loads((demo_folder / "generation_config.json").read_text())
    assert settings["do_sample"] is False
