"""Banks in place of the experts of a model that was built but not yet filled.

Knows how modules, keys, files and slots belong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import mlx.core as mx
from mlx.utils import tree_map

from ..matching import Match, Source
from ..memory import ExpertPlan
from ..model.experts import Glm4vMoeTextExperts, Glm4vMoeTextMoE
from ..model.fuse import fuse_projections
from ..model.glm4v_moe import Glm4vMoeForConditionalGeneration
from .bank import Bank
from .extents import expert_extents
from .files import OpenFiles
from .layer import StreamedExperts
from .memory import SlotRows
from .profile import ExpertProfile
from .slots import SlotTable
from .store import ExpertStore

_PROJECTIONS = ("gate_proj", "up_proj", "down_proj")
_JOINED = "gate_up_proj"

Sources = Mapping[str, tuple[Source, ...]]


def stream_experts(
    model: Glm4vMoeForConditionalGeneration,
    matched: Match,
    plan: ExpertPlan,
    *,
    dtype: mx.Dtype,
    profile: ExpertProfile,
) -> Match:
    """Give `model` banks of `plan.slots`; return what is left to be read now.

    Layers whose experts all have a slot stay as they are. Floats of a bank are `dtype`.
    The experts that `profile` knows as chosen most leave a bank last. Raises
    `CheckpointError` when a file cannot be opened.
    """
    moes = {
        index: layer.mlp
        for index, layer in enumerate(model.language_model.model.layers)
        if isinstance(layer.mlp, Glm4vMoeTextMoE)
    }
    sources = dict(matched.sources)
    taken = {
        index: _take(sources, index)
        for index, slots in zip(moes, plan.slots, strict=True)
        if slots < plan.experts
    }
    files = OpenFiles(
        source.info.file
        for keys in taken.values()
        for parts in keys.values()
        for source in parts
    )
    store = ExpertStore(
        files,
        profile,
        resident=plan.resident,
        prefill_tokens=plan.prefill_tokens,
    )
    for place, (index, moe) in enumerate(moes.items()):
        if index not in taken:
            continue
        experts, slots = moe.switch_mlp, plan.slots[place]
        assert isinstance(experts, Glm4vMoeTextExperts)
        hot = profile.favourites(place, slots // 2)
        rows = _make_rows(experts, taken[index], slots=slots, dtype=dtype)
        bank = Bank(
            experts,
            SlotTable(plan.experts, slots, hot=hot),
            rows,
            files=files,
            executor=store.executor,
        )
        moe.switch_mlp = StreamedExperts(bank, store, layer=place)
    model.expert_source = store
    return replace(matched, sources=sources)


def _take(sources: dict[str, tuple[Source, ...]], layer: int) -> Sources:
    """Take a layer's experts out of `sources`; they go by their keys in the module."""
    prefix = f"language_model.model.layers.{layer}.mlp.switch_mlp."
    keys = [key for key in sources if key.startswith(prefix)]
    return {key.removeprefix(prefix): sources.pop(key) for key in keys}


def _make_rows(
    experts: Glm4vMoeTextExperts,
    sources: Sources,
    *,
    slots: int,
    dtype: mx.Dtype,
) -> list[SlotRows]:
    """Make the module's arrays a bank's, joined where they can be, and say what fills
    them."""
    shapes = {
        (name, key): array.shape
        for name in _PROJECTIONS
        for key, array in experts[name].items()
    }

    def slot_array(array: mx.array) -> mx.array:
        floats = mx.issubdtype(array.dtype, mx.floating)
        return mx.zeros((slots, *array.shape[1:]), dtype if floats else array.dtype)

    experts.update(tree_map(slot_array, experts.parameters()))
    fuse_projections(experts)
    # Anew, so that the joined arrays are not copied from single ones.
    experts.update(tree_map(lambda a: mx.zeros(a.shape, a.dtype), experts.parameters()))
    mx.eval(experts.parameters())
    rows = []
    for (name, key), (count, height, *_) in shapes.items():
        own = name in experts
        stored = sources[f"{name}.{key}"]
        rows.append(
            SlotRows(
                experts[name if own else _JOINED][key],
                first=height if name == "up_proj" and not own else 0,
                rows=height,
                extents=expert_extents(stored, experts=count),
                stored=stored[0].info.dtype,
            )
        )
    return rows
