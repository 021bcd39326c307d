"""The sizes of what the vision tower and the decoder keep and compute, in bytes.

Pure arithmetic on configs, one formula a function. Knows no weights and no machine.
"""

from __future__ import annotations

from math import ceil

from ..config import Glm4vMoeConfig, Glm4vMoeTextConfig, Glm4vMoeVisionConfig
from .request import HD_FRAME_TOKENS, KV_GROUP, Backend, Request

# mlx-lm's caches grow by this many tokens.
KV_STEP = 256

# Small pictures are encoded together up to this many patches (generation.prefill).
_BATCH_PATCHES = 2048
# Without a fused kernel attention's scores exist three times (raw, masked, softmax),
# and queries are taken in blocks that together keep to this (model.attention).
_SCORE_COPIES = 3
_SCORES_BYTES = 256 * 2**20
_OPERATIONS_AHEAD = 10
_FLOAT32 = 4
_LARGEST_RESERVE = 2 * 2**30
_SMALLEST_RESERVE = 256 * 2**20


def kv_token_bytes(
    text: Glm4vMoeTextConfig, kv_bits: int | None, backend: Backend
) -> int:
    """Keys and values of one token: 2 * layers * kv_heads * bytes of a head.

    A head is head_dim floats or, at `kv_bits`, head_dim * bits / 8 and a scale and a
    bias for each 64 numbers. GLM-4.5V in bf16: 188,416.
    """
    size = text.size_of_head
    head = size * backend.float_bytes
    if kv_bits is not None:
        head = size * kv_bits // 8 + 2 * (size // KV_GROUP) * backend.float_bytes
    return 2 * text.num_hidden_layers * text.num_key_value_heads * head


def kv_bytes(text: Glm4vMoeTextConfig, request: Request, backend: Backend) -> int:
    """The cache holding the whole context: tokens * a token's bytes.

    The context is prefilled in even chunks; mlx-lm makes room for the last one in steps
    of 256. Where a part of it is generated instead, room differs by 256 tokens at most.
    """
    chunks = ceil(request.context / request.prefill_step_size)
    before = request.context * (chunks - 1) // chunks
    room = ceil((request.context - before) / KV_STEP) * KV_STEP
    return (before + room) * kv_token_bytes(text, request.kv_bits, backend)


def feature_bytes(config: Glm4vMoeConfig, request: Request, backend: Backend) -> int:
    """What the tower hands over: media tokens * hidden_size floats.

    GLM-4.5V's largest picture, 6,144 tokens, in bf16: 50 MB.
    """
    hidden = config.text_config.hidden_size
    return request.media_tokens * hidden * backend.float_bytes


def vision_workspace_bytes(
    vision: Glm4vMoeVisionConfig, request: Request, backend: Backend
) -> int:
    """An upper bound of what encoding the media takes at its worst moment.

    The prompt's pictures as 8-bit pixels, all of them; of the largest batch, the
    patches as given and cast, the position tables, and whichever is more: everything
    one block
    computes, or everything the merger computes. Their outputs are counted as if none
    were given back before the block is done, because operations run ahead of their
    inputs' release. On the CPU backend that is in float32 and attention's scores come
    on top, in at most 256 MiB; Metal's fused kernel writes none down. Measured peaks on
    the CPU are 40 to 45 % of this; on Metal nobody has measured it.
    """
    window = vision.spatial_merge_size**2
    total = request.media_tokens * window
    if not total:
        return 0
    pair = min(request.video_tokens, HD_FRAME_TOKENS)
    largest = max(request.image_tokens if request.images else 0, pair) * window
    batch = max(largest, min(total, _BATCH_PATCHES))
    floats, hidden = backend.float_bytes, vision.hidden_size
    given = vision.patch_length * (_FLOAT32 + floats) + hidden * floats
    tables = hidden * (_FLOAT32 + 2 * floats) + vision.head_dim * _FLOAT32
    kernel = vision.patch_length * hidden * floats
    computed = max(
        batch * _block_bytes(vision, floats)
        + _scores_bytes(backend, heads=vision.num_heads, rows=batch, keys=largest),
        batch * _merger_bytes(vision, floats) // window,
    )
    pixels = total * vision.patch_length
    return pixels + batch * (given + tables) + kernel + computed


def _block_bytes(vision: Glm4vMoeVisionConfig, floats: int) -> int:
    """Of one patch, all outputs of a block.

    16 rows of hidden_size (norms, qkv, rotated and copied queries and keys, attention,
    projections, sums), the MLP's 5 of out_hidden_size, and the rotation of queries and
    keys in float32, 5 rows each.
    """
    hidden, wide = vision.hidden_size, vision.out_hidden_size
    return (16 * hidden + 5 * wide) * floats + 2 * 5 * hidden * _FLOAT32


def _merger_bytes(vision: Glm4vMoeVisionConfig, floats: int) -> int:
    """Of one token, all outputs from the last norm to the feature.

    A window of hidden_size, 10 rows of out_hidden_size (downsampled, projected, norm,
    gelu, down) and 5 of intermediate_size.
    """
    window = vision.spatial_merge_size**2 * vision.hidden_size
    out, wide = vision.out_hidden_size, vision.intermediate_size
    return (window + 10 * out + 5 * wide) * floats


def activation_bytes(
    text: Glm4vMoeTextConfig, request: Request, backend: Backend
) -> int:
    """Everything one decoder layer computes for a chunk of the prompt, and the logits.

    The chunk is prefill_step_size tokens at most. Added are one layer's keys and values
    twice, for a cache that grows is copied, and two rows of logits in float32.
    """
    tokens = min(request.prefill_step_size, request.context)
    layer = kv_bytes(text, request, backend) // text.num_hidden_layers
    heads = text.num_attention_heads
    scores = _scores_bytes(backend, heads=heads, rows=tokens, keys=request.context)
    logits = 2 * text.vocab_size * _FLOAT32
    computed = tokens * _layer_bytes(text, backend.float_bytes)
    return computed + 2 * layer + scores + logits


def _layer_bytes(text: Glm4vMoeTextConfig, floats: int) -> int:
    """Of one token, all outputs of a decoder layer.

    Attention: 5 rows of hidden_size; queries, attention and its copy; keys and values;
    queries and keys rotated in float32 (5 times the rotated part) and joined again.
    Then the dense MLP (5 * intermediate_size), or the router in float32, tokens sorted
    by expert, gated (5 * width), projected, put back (3 * hidden for each expert
    chosen) and weighted in float32, and the shared experts.
    """
    hidden, size = text.hidden_size, text.size_of_head
    heads, kv_heads = text.num_attention_heads, text.num_key_value_heads
    rotated = text.rope_parameters.rotary_dim(size)
    attention = (5 * hidden + (3 * heads + 2 * kv_heads) * size) * floats
    rotation = (heads + kv_heads) * (5 * rotated * _FLOAT32 + (rotated + size) * floats)
    dense = (5 * text.intermediate_size + 2 * hidden) * floats
    chosen, wide = text.num_experts_per_tok, text.moe_intermediate_size
    router = (hidden + 6 * text.n_routed_experts) * _FLOAT32
    routed = chosen * ((3 * hidden + 5 * wide) * floats + hidden * _FLOAT32)
    shared = (5 * wide * text.n_shared_experts + 4 * hidden) * floats
    experts = router + routed + shared + hidden * _FLOAT32
    return attention + rotation + max(dense, experts)


def _scores_bytes(backend: Backend, *, heads: int, rows: int, keys: int) -> int:
    """Attention scores in float32 where no fused kernel keeps them out of memory."""
    if backend.fused_attention:
        return 0
    row = heads * keys * _FLOAT32
    most = max(_SCORES_BYTES, _OPERATIONS_AHEAD * row)
    return min(_SCORE_COPIES * rows * row, most)


def reserve_bytes(weights: int) -> int:
    """What nobody computes: 256 MiB and a 32nd of the weights, 2 GiB at most.

    For the process, its libraries, freed buffers that MLX keeps, and, while loading,
    the sources of one parameter beside the model.
    """
    return min(_SMALLEST_RESERVE + weights // 32, _LARGEST_RESERVE)
