"""Every parameter of the published MLX layout and its shape, from a config alone.

What a conversion has to write, before any quantisation. Pure arithmetic: no model is
built, so that the table for 107.7 billion parameters costs milliseconds and no memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..config import Glm4vMoeConfig, Glm4vMoeTextConfig, Glm4vMoeVisionConfig

Shape = tuple[int, ...]


def parameter_shapes(config: Glm4vMoeConfig) -> dict[str, Shape]:
    """Key -> shape of all parameters, experts stacked on axis 0, kernels channel-last.

    In the order of the layers: tower, embeddings, decoder layers, norm, head.
    """
    return dict(_parameters(config))


def count_parameters(config: Glm4vMoeConfig) -> int:
    """How many numbers all parameters hold together."""
    return sum(size_of(shape) for shape in parameter_shapes(config).values())


def size_of(shape: Shape) -> int:
    """Numbers in an array of this shape."""
    size = 1
    for length in shape:
        size *= length
    return size


def _parameters(config: Glm4vMoeConfig) -> Iterator[tuple[str, Shape]]:
    text = config.text_config
    for key, shape in _vision(config.vision_config):
        yield f"vision_tower.{key}", shape
    table = (text.vocab_size, text.hidden_size)
    yield "language_model.model.embed_tokens.weight", table
    for layer in range(text.num_hidden_layers):
        for key, shape in _layer(text, dense=text.is_dense(layer)):
            yield f"language_model.model.layers.{layer}.{key}", shape
    yield "language_model.model.norm.weight", (text.hidden_size,)
    if not config.tie_word_embeddings:
        yield "language_model.lm_head.weight", table


def _layer(text: Glm4vMoeTextConfig, *, dense: bool) -> Iterator[tuple[str, Shape]]:
    hidden = text.hidden_size
    yield "input_layernorm.weight", (hidden,)
    queries = text.num_attention_heads * text.size_of_head
    keys = text.num_key_value_heads * text.size_of_head
    for name, rows in (("q", queries), ("k", keys), ("v", keys)):
        yield from _linear(f"self_attn.{name}_proj", rows, hidden, text.attention_bias)
    yield from _linear("self_attn.o_proj", hidden, queries)
    yield "post_attention_layernorm.weight", (hidden,)
    if dense:
        yield from _gated("mlp", hidden, text.intermediate_size)
        return
    experts, wide = text.n_routed_experts, text.moe_intermediate_size
    yield "mlp.gate.weight", (experts, hidden)
    yield "mlp.gate.e_score_correction_bias", (experts,)
    for key, shape in _gated("mlp.switch_mlp", hidden, wide):
        yield key, (experts, *shape)
    if text.n_shared_experts:
        shared = wide * text.n_shared_experts
        yield from _gated("mlp.shared_experts", hidden, shared)


def _vision(vision: Glm4vMoeVisionConfig) -> Iterator[tuple[str, Shape]]:
    hidden, out = vision.hidden_size, vision.out_hidden_size
    patch, merge = vision.patch_size, vision.spatial_merge_size
    kernel = (vision.temporal_patch_size, patch, patch)
    yield "patch_embed.proj.weight", (hidden, *kernel, vision.in_channels)
    yield "patch_embed.proj.bias", (hidden,)
    positions = vision.positions_per_side**2
    yield "embeddings.position_embedding.weight", (positions, hidden)
    yield "post_conv_layernorm.weight", (hidden,)
    for block in range(vision.depth):
        prefix = f"blocks.{block}"
        yield f"{prefix}.norm1.weight", (hidden,)
        yield f"{prefix}.norm2.weight", (hidden,)
        bias = vision.attention_bias
        yield from _linear(f"{prefix}.attn.qkv", 3 * hidden, hidden, bias)
        yield from _linear(f"{prefix}.attn.proj", hidden, hidden)
        yield from _gated(f"{prefix}.mlp", hidden, out)
    yield "post_layernorm.weight", (hidden,)
    yield "downsample.weight", (out, merge, merge, hidden)
    yield "downsample.bias", (out,)
    yield from _linear("merger.proj", out, out)
    yield "merger.post_projection_norm.weight", (out,)
    yield "merger.post_projection_norm.bias", (out,)
    yield from _gated("merger", out, vision.intermediate_size)


def _gated(prefix: str, hidden: int, wide: int) -> Iterator[tuple[str, Shape]]:
    """A gated MLP: gate and up to `wide`, down again."""
    yield from _linear(f"{prefix}.gate_proj", wide, hidden)
    yield from _linear(f"{prefix}.up_proj", wide, hidden)
    yield from _linear(f"{prefix}.down_proj", hidden, wide)


def _linear(
    name: str, rows: int, columns: int, bias: bool = False
) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (rows, columns)
    if bias:
        yield f"{name}.bias", (rows,)
