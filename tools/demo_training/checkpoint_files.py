"""The demo checkpoint's files beside its weights: tokenizer, configs, chat template.

Knows the published layout of a GLM-4.5V folder. Does not know scenes (it is given the
texts that a new tokenizer learns) or weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from demo_training.tokens import TOKENIZER
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer

MERGED_TOKENS = 739  # bytes and merges at most; with the special tokens 768
CONTROL_TOKENS = (
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
)
# Text in GLM's tokenizer too: decoding keeps them.
MARKER_TOKENS = (
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
)
WORDS = Regex(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
MAX_STILL_PIXELS = 2 * 112 * 168
MAX_VIDEO_PIXELS = 8 * 112 * 112


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """A byte-level BPE tokenizer of the texts, with GLM's special tokens by name."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(WORDS, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=MERGED_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(
        [AddedToken(text, special=True, normalized=False) for text in CONTROL_TOKENS]
    )
    tokenizer.add_tokens(
        [AddedToken(text, special=False, normalized=False) for text in MARKER_TOKENS]
    )
    return tokenizer


def model_config(tokenizer: Tokenizer) -> dict[str, Any]:
    """config.json, in the spelling of the published GLM-4.5V."""

    def id_of(token: str) -> int:
        found = tokenizer.token_to_id(token)
        assert found is not None, token
        return found

    vocabulary = tokenizer.get_vocab_size()
    pad, user, observation = map(
        id_of, ("<|endoftext|>", "<|user|>", "<|observation|>")
    )
    return {
        "architectures": ["Glm4vMoeForConditionalGeneration"],
        "model_type": "glm4v_moe",
        "image_start_token_id": id_of("<|begin_of_image|>"),
        "image_end_token_id": id_of("<|end_of_image|>"),
        "video_start_token_id": id_of("<|begin_of_video|>"),
        "video_end_token_id": id_of("<|end_of_video|>"),
        "image_token_id": id_of("<|image|>"),
        "video_token_id": id_of("<|video|>"),
        "tie_word_embeddings": False,
        "transformers_version": "4.57.1",
        "text_config": {
            "model_type": "glm4v_moe_text",
            "pad_token_id": pad,
            "vocab_size": -(-vocabulary // 64) * 64,
            "eos_token_id": [pad, user, observation],
            "head_dim": 64,
            "attention_bias": True,
            "attention_dropout": 0.0,
            "first_k_dense_replace": 1,
            "hidden_act": "silu",
            "hidden_size": 192,
            "initializer_range": 0.06,
            "intermediate_size": 384,
            "max_position_embeddings": 8192,
            "moe_intermediate_size": 128,
            "n_group": 1,
            "n_routed_experts": 8,
            "n_shared_experts": 1,
            "norm_topk_prob": True,
            "num_attention_heads": 4,
            "num_experts_per_tok": 2,
            "num_hidden_layers": 4,
            "num_key_value_heads": 2,
            "partial_rotary_factor": 0.5,
            "rms_norm_eps": 1e-05,
            "dtype": "bfloat16",
            "rope_scaling": {"rope_type": "default", "mrope_section": [4, 6, 6]},
            "rope_theta": 100.0,
            "routed_scaling_factor": 1.0,
            "topk_group": 1,
            "use_cache": True,
            "use_qk_norm": False,
        },
        "vision_config": {
            "model_type": "glm4v_moe",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "depth": 5,
            "hidden_act": "silu",
            "hidden_size": 128,
            "image_size": 112,
            "in_channels": 3,
            "initializer_range": 0.08,
            "intermediate_size": 384,
            "num_heads": 2,
            "out_hidden_size": 192,
            "patch_size": 14,
            "rms_norm_eps": 1e-05,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
    }


def generation_config(config: dict[str, Any]) -> dict[str, Any]:
    """generation_config.json: greedy."""
    text = config["text_config"]
    return {
        "_from_model_config": True,
        "do_sample": False,
        "eos_token_id": text["eos_token_id"],
        "pad_token_id": text["pad_token_id"],
        "transformers_version": "4.57.1",
    }


def tokenizer_config() -> dict[str, Any]:
    """tokenizer_config.json, for transformers."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "backend": "tokenizers",
        "clean_up_tokenization_spaces": False,
        "do_lower_case": False,
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "extra_special_tokens": list(CONTROL_TOKENS[1:]),
        "model_max_length": 8192,
        "padding_side": "left",
    }


def image_config() -> dict[str, Any]:
    """preprocessor_config.json: GLM-4.5V's, with a small pixel cap."""
    return {
        "size": {"shortest_edge": 12544, "longest_edge": MAX_STILL_PIXELS},
        "do_rescale": True,
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "image_processor_type": "Glm4vImageProcessor",
        "processor_class": "Glm4vProcessor",
    }


def video_config() -> dict[str, Any]:
    """video_preprocessor_config.json: the same with the cap of a whole video."""
    image = image_config()
    del image["image_processor_type"]
    return image | {
        "size": {"shortest_edge": 12544, "longest_edge": MAX_VIDEO_PIXELS},
        "video_processor_type": "Glm4vVideoProcessor",
    }


def write_configs(folder: Path) -> None:
    """Write the configs that go with the tokenizer in `folder`."""
    config = model_config(Tokenizer.from_file(str(folder / TOKENIZER)))
    for name, value in {
        "config.json": config,
        "generation_config.json": generation_config(config),
        "tokenizer_config.json": tokenizer_config(),
        "preprocessor_config.json": image_config(),
        "video_preprocessor_config.json": video_config(),
    }.items():
        (folder / name).write_text(json.dumps(value, indent=2) + "\n")
