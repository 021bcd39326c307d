"""Compute the reference values in tests/parity/values with torch and transformers.

    python tools/make_parity.py [case ...]

Needs the extra `reference`. For each case of `tests/parity/cases.py` one compressed npz
holds the tensors' names and shapes, and for each prompt "<prompt>/<stage>" arrays.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Glm4vMoeConfig, Glm4vMoeForConditionalGeneration
from transformers.activations import ACT2FN
from transformers.models.glm4v_moe.modeling_glm4v_moe import (
    Glm4vMoeTextRotaryEmbedding,
)
from transformers.vision_utils import get_vision_position_ids

sys.path.insert(0, str(Path(__file__).parents[1]))

from mlx_glm45v.config.checks import HIDDEN_ACTIVATIONS
from tests.parity.cases import (
    BASE,
    CASES,
    LENGTHS,
    SAMPLED_GRIDS,
    VALUES,
    Case,
    Prompt,
    file_of,
    make_weight,
)


def build(case: Case) -> Glm4vMoeForConditionalGeneration:
    """The reference model of a case in float32, with its named random weights."""
    config = Glm4vMoeConfig(**case.config)
    config._attn_implementation = "eager"
    model = Glm4vMoeForConditionalGeneration(config).eval().float()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name == "lm_head.weight" and config.tie_word_embeddings:
                continue
            tensor.copy_(torch.from_numpy(make_weight(name, tensor.shape)))
    return model


def shapes_of(model: Glm4vMoeForConditionalGeneration) -> dict[str, list[int]]:
    tied = model.config.tie_word_embeddings
    return {
        name: list(tensor.shape)
        for name, tensor in model.state_dict().items()
        if not (tied and name == "lm_head.weight")
    }


@contextmanager
def recording(modules: dict[str, torch.nn.Module]) -> Iterator[dict[str, Any]]:
    """Collect (inputs, output) of the last call of each module."""
    seen: dict[str, Any] = {}

    def remember(name: str) -> Any:
        def hook(_: Any, args: Any, output: Any) -> None:
            seen[name] = (args, output)

        return hook

    handles = [m.register_forward_hook(remember(n)) for n, m in modules.items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def arguments(case: Case, prompt: Prompt) -> dict[str, Any]:
    """The reference's forward arguments for a prompt with one kind of media."""
    result: dict[str, Any] = {"input_ids": torch.from_numpy(prompt.input_ids)}
    if prompt.padded:
        result["attention_mask"] = torch.from_numpy(prompt.attention_mask)
    for kind, grids in (
        ("image", prompt.image_grid_thw),
        ("video", prompt.video_grid_thw),
    ):
        if grids:
            pixels = prompt.pixels(kind, case.patch_length)
            suffix = "_videos" if kind == "video" else ""
            result[f"pixel_values{suffix}"] = torch.from_numpy(pixels)
            result[f"{kind}_grid_thw"] = torch.tensor(grids)
            result["mm_token_type_ids"] = torch.from_numpy(prompt.mm_token_type_ids)
    return result


def assembled(
    model: Glm4vMoeForConditionalGeneration, given: dict[str, Any]
) -> dict[str, Any]:
    """Images and videos together, put together from the reference's parts.

    The reference itself counts all placeholders for either kind and fails.
    """
    inner, types = model.model, given["mm_token_type_ids"]
    embeds = inner.get_input_embeddings()(given["input_ids"]).clone()
    images = inner.get_image_features(given["pixel_values"], given["image_grid_thw"])
    videos = inner.get_video_features(
        given["pixel_values_videos"], given["video_grid_thw"]
    )
    embeds[types == 1] = torch.cat(images.pooler_output)
    embeds[types == 2] = torch.cat(videos.pooler_output)
    positions, deltas = inner.get_rope_index(
        given["input_ids"],
        types,
        image_grid_thw=given["image_grid_thw"],
        video_grid_thw=given["video_grid_thw"],
    )
    inner.rope_deltas = deltas
    return {"inputs_embeds": embeds, "position_ids": positions}


def run(
    model: Glm4vMoeForConditionalGeneration, case: Case, prompt: Prompt
) -> dict[str, np.ndarray]:
    """Reference values of one prompt, by stage."""
    inner = model.model
    inner.rope_deltas = None
    given = arguments(case, prompt)
    both = "pixel_values" in given and "pixel_values_videos" in given
    gates = {
        f"gate {index}": layer.mlp.gate
        for index, layer in enumerate(inner.language_model.layers)
        if hasattr(layer.mlp, "gate")
    }
    visual = inner.visual
    modules = {
        "patch_embed": visual.patch_embed,
        "embeddings": visual.embeddings,
        "downsample": visual.downsample,
        "merger": visual.merger,
        **{f"block {i}": block for i, block in enumerate(visual.blocks)},
        **gates,
    }
    details = case is BASE and prompt.name in ("one image", "images of different sizes")
    with torch.no_grad(), recording(modules) as seen:
        arguments_ = assembled(model, given) if both else given
        labels = given["input_ids"].clone()
        labels[:, ::3] = -100
        output = model(
            **arguments_,
            labels=labels,
            output_hidden_states=True,
            output_attentions=True,
            use_cache=False,
        )
    real = prompt.attention_mask.astype(bool)
    values = {"logits": output.logits.numpy()[real]}
    if not prompt.padded:
        values["loss"] = output.loss.numpy()
    if inner.rope_deltas is not None:
        values["rope_deltas"] = inner.rope_deltas.numpy().reshape(-1)
    if case is BASE and not prompt.padded and inner.rope_deltas is not None:
        values["positions"] = (
            arguments_["position_ids"]
            if both
            else inner.get_rope_index(
                given["input_ids"],
                given["mm_token_type_ids"],
                given.get("image_grid_thw"),
                given.get("video_grid_thw"),
            )[0]
        ).numpy()
    for name in gates:
        (states,), (logits, weights, indices) = seen[name]
        if case.name == "groups" or details:
            values[f"{name} input"] = states.numpy().reshape(-1, states.shape[-1])
            values[f"{name} logits"] = logits.numpy()
        order = indices.argsort(dim=-1)
        values[f"{name} indices"] = indices.gather(1, order).numpy().astype(np.int16)
        values[f"{name} weights"] = weights.gather(1, order).numpy()
    if details:
        values["patch embedding"] = seen["patch_embed"][1].numpy()
        (before, *_), after = seen["embeddings"]
        values["position embedding"] = (after - before).numpy()
        for index in range(len(visual.blocks)):
            values[f"block {index}"] = seen[f"block {index}"][1].numpy()
        values["downsample"] = seen["downsample"][1].numpy().reshape(-1, 64)
        values["features"] = seen["merger"][1].numpy()
    if details or case is BASE:
        for index, states in enumerate(output.hidden_states):
            values[f"hidden {index}"] = states.numpy()[real]
    if details and prompt.name == "one image":
        for index, weights in enumerate(output.attentions):
            values[f"attention {index}"] = weights.numpy()
    return values


def frequencies(case: Case) -> dict[str, np.ndarray]:
    """Inverse frequencies and scale of cos and sin for requests of some lengths."""
    values: dict[str, np.ndarray] = {}
    for length in LENGTHS:
        rotary = Glm4vMoeTextRotaryEmbedding(Glm4vMoeConfig(**case.config).text_config)
        positions = torch.arange(length)[None, None]
        cos, _ = rotary(torch.zeros(1), positions)
        values[f"inverse frequencies/{length}"] = rotary.inv_freq.numpy()
        # At position 0 every cosine is the scale.
        values[f"cosine scale/{length}"] = cos[0, 0, 0].numpy()
    return values


def sampled_positions(model: Glm4vMoeForConditionalGeneration) -> dict[str, np.ndarray]:
    """The position table sampled for grids smaller, equal, larger and oblong."""
    values: dict[str, np.ndarray] = {}
    visual = model.model.visual
    for height, width in SAMPLED_GRIDS:
        grid = torch.tensor([[1, height, width]])
        ids = get_vision_position_ids(grid, visual.spatial_merge_size)
        with torch.no_grad():
            sampled = visual.embeddings(
                torch.zeros(len(ids), visual.config.hidden_size),
                torch.tensor([len(ids)]),
                grid,
                ids[:, 0],
                ids[:, 1],
            )
        values[f"sampled positions/{height}x{width}"] = sampled.numpy()
    return values


def activations() -> dict[str, np.ndarray]:
    x = torch.linspace(-12, 12, 193)
    values = {name: ACT2FN[name](x).numpy() for name in HIDDEN_ACTIVATIONS}
    return {"x": x.numpy(), **values}


def main(wanted: list[str]) -> None:
    torch.set_num_threads(1)
    np.savez_compressed(VALUES / "activations.npz", **activations())
    for case in CASES:
        if wanted and case.name not in wanted:
            continue
        model = build(case)
        shapes = json.dumps(shapes_of(model)).encode()
        values: dict[str, np.ndarray] = {"shapes": np.frombuffer(shapes, np.uint8)}
        values.update(frequencies(case))
        if case is BASE:
            values.update(sampled_positions(model))
        for prompt in case.prompts:
            # A model of its own: dynamic frequencies stay with the module.
            fresh = build(case)
            for stage, array in run(fresh, case, prompt).items():
                values[f"{prompt.name}/{stage}"] = array
        path = file_of(case)
        np.savez_compressed(path, **values)
        print(
            f"{path.name}: {len(values)} arrays, {path.stat().st_size / 1024:.0f} KiB"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
