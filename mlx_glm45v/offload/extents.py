"""Where each expert's bytes lie in the files, for every layout that checkpoints have.

Arithmetic on headers; opens nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..matching import Source
from .files import Extent


def expert_extents(sources: Sequence[Source], *, experts: int) -> list[Extent]:
    """One extent for each expert of a parameter (experts, ...), from its sources.

    They are either one stacked tensor (or a half of each of its experts, gate before
    up), or one tensor for each expert, in order.
    """
    if sources[0].target.expert is not None:
        infos = [source.info for source in sources]
        return [Extent(info.file, info.start, info.nbytes) for info in infos]
    (source,) = sources
    info, half = source.info, source.target.half
    stride = info.nbytes // experts
    nbytes = stride if half is None else stride // 2
    first = info.start + (half or 0) * nbytes
    return [Extent(info.file, first + e * stride, nbytes) for e in range(experts)]
