"""Better scales and biases for the affine format, found without any data.

Plain rounding spreads a group's codes from its smallest to its largest number, so that
one outlier makes every step wider. Here each group is also tried with its range shrunk
by a dozen ratios; each trial fixes the codes, and scale and bias follow by least
squares. The best one is fitted twice more to its own codes (Lloyd's iteration on an
affine codebook) and wins only where it beats plain rounding. Knows arrays and MLX's bit
order; knows no files and no recipes.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx

RATIOS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45)
REFITS = 2
# A piece's working arrays (1 MB each) stay in a core's cache and count for nothing
# beside the rows themselves.
WEIGHTS_AT_ONCE = 2**18

_TINY = 1e-30


def search_rows(
    rows: mx.array, *, bits: int, group_size: int, dtype: mx.Dtype = mx.bfloat16
) -> tuple[mx.array, mx.array, mx.array]:
    """Rows (n, columns) as affine weight, scales and biases in `mx.quantize`'s format.

    In every group the squared error of `scale * code + bias`, taken in float32 with
    scale and bias as stored in `dtype`, is at most that of `mx.quantize`. Measured in
    groups of 64: 1.9 dB less error at 2 bits, 1.1 at 3 and 0.7 at 4 on Student-t
    weights (5 degrees of freedom), 1.7, 1.1 and 0.8 on Gaussian ones. Takes 17 to 25
    times as long as plain rounding on the CPU backend: 0.1 s for a million weights on
    one x86 core. Evaluated piece by piece.
    """
    count = max(1, WEIGHTS_AT_ONCE // rows.shape[1])
    weights: list[mx.array] = []
    scales: list[mx.array] = []
    biases: list[mx.array] = []
    for start in range(0, rows.shape[0], count):
        piece = rows[start : start + count].astype(mx.float32)
        found = _search(piece, bits, group_size, dtype)
        mx.eval(*found)
        for pieces, array in zip((weights, scales, biases), found, strict=True):
            pieces.append(array)
    return mx.concatenate(weights), mx.concatenate(scales), mx.concatenate(biases)


def pack(codes: mx.array, bits: int) -> mx.array:
    """Codes (8 * k, groups) as words (groups, 8 * k * bits / 32) in MLX's bit order.

    A row is a stream of bits, the first code in the lowest ones: eight codes fill
    `bits` bytes whatever the width.
    """
    parts = codes.astype(mx.uint64)
    joined = parts[0::8]
    for place in range(1, 8):
        joined = joined | (parts[place::8] << (place * bits))
    octets = joined.T[..., None].view(mx.uint8)[..., :bits]
    return mx.contiguous(octets).reshape(codes.shape[1], -1).view(mx.uint32)


@dataclass(frozen=True, eq=False)
class _Groups:
    """Groups side by side, (group_size, groups): sums over axis 0 are fast.

    `values` are as stored, `deviations` from each group's `mean` in units of the
    largest one, so that squares neither overflow nor vanish.
    """

    values: mx.array
    mean: mx.array
    unit: mx.array
    deviations: mx.array
    bits: int

    @property
    def top(self) -> int:
        """The largest code."""
        return 2**self.bits - 1

    def codes(self, positions: mx.array) -> mx.array:
        """Positions on the scale from 0 to `top`, half a step added, cut to codes."""
        bounded = mx.minimum(mx.maximum(positions, 0.0), self.top + 0.5)
        return bounded.astype(mx.uint8)

    def fit(self, codes: mx.array) -> tuple[mx.array, mx.array, mx.array]:
        """Least squares of the deviations on codes: slope, offset and what is gained.

        The gain is the part of the sum of squares that the line explains.
        """
        size = codes.shape[0]
        numbers = codes.astype(mx.float32)
        mean = mx.sum(numbers, axis=0) / size
        spread = mx.sum(mx.square(numbers), axis=0) - size * mx.square(mean)
        # The deviations' own mean is nought, so it needs no part in this.
        common = mx.sum(numbers * self.deviations, axis=0)
        slope = common / mx.maximum(spread, 0.5)
        return slope, -slope * mean, slope * common

    def stored(
        self, slope: mx.array, offset: mx.array, dtype: mx.Dtype
    ) -> tuple[mx.array, mx.array]:
        """Scale and bias as a file keeps them, in float32 again."""
        scale = (slope * self.unit).astype(dtype)
        bias = (offset * self.unit + self.mean).astype(dtype)
        return scale.astype(mx.float32), bias.astype(mx.float32)

    def rounded(self, scale: mx.array, bias: mx.array) -> mx.array:
        """The best codes for a scale and bias as stored."""
        usable = mx.abs(scale) > 1e-20 * self.unit
        inverse = mx.where(usable, 1 / mx.where(usable, scale, 1.0), 0.0)
        return self.codes((self.values - bias) * inverse + 0.5)

    def error(self, restored: mx.array) -> mx.array:
        """Squared error of each group in its unit."""
        return mx.sum(mx.square((restored - self.values) / self.unit), axis=0)


def _groups(rows: mx.array, bits: int, group_size: int) -> _Groups:
    values = mx.contiguous(rows.reshape(-1, group_size).T)
    mean = mx.mean(values, axis=0)
    deviations = values - mean
    unit = mx.maximum(mx.max(mx.abs(deviations), axis=0), _TINY)
    return _Groups(values, mean, unit, deviations / unit, bits)


def _search(
    rows: mx.array, bits: int, group_size: int, dtype: mx.Dtype
) -> tuple[mx.array, mx.array, mx.array]:
    groups = _groups(rows, bits, group_size)
    plain = mx.quantize(rows.astype(dtype), group_size=group_size, bits=bits)
    codes, scale, bias, error = _best(groups, dtype)
    wins = (error < groups.error(_restored(plain, bits, group_size)))[:, None]
    found = (pack(codes, bits), scale[:, None], bias[:, None])
    chosen = []
    for ours, theirs in zip(found, plain, strict=True):
        one_a_group = theirs.reshape(wins.shape[0], -1)
        both = mx.where(wins, ours.astype(theirs.dtype), one_a_group)
        chosen.append(both.reshape(theirs.shape))
    return chosen[0], chosen[1], chosen[2]


def _restored(plain: tuple[mx.array, ...], bits: int, group_size: int) -> mx.array:
    """What plain rounding gives back in float32, (group_size, groups)."""
    weight, scales, biases = plain
    rows = mx.dequantize(
        weight,
        scales.astype(mx.float32),
        biases.astype(mx.float32),
        group_size=group_size,
        bits=bits,
    )
    return rows.reshape(-1, group_size).T


def _best(
    groups: _Groups, dtype: mx.Dtype
) -> tuple[mx.array, mx.array, mx.array, mx.array]:
    """Codes, scale, bias and error of the best trial of each group, refitted."""
    slope, offset = _best_ratio(groups)
    scale, bias = groups.stored(slope, offset, dtype)
    codes = groups.rounded(scale, bias)
    error = groups.error(codes * scale + bias)
    for _ in range(REFITS):
        slope, offset, _gain = groups.fit(codes)
        new_scale, new_bias = groups.stored(slope, offset, dtype)
        new_codes = groups.rounded(new_scale, new_bias)
        new_error = groups.error(new_codes * new_scale + new_bias)
        better = new_error < error
        scale = mx.where(better, new_scale, scale)
        bias = mx.where(better, new_bias, bias)
        codes = mx.where(better, new_codes, codes)
        error = mx.where(better, new_error, error)
    return codes, scale, bias, error


def _best_ratio(groups: _Groups) -> tuple[mx.array, mx.array]:
    """Slope and offset of the trial that explains most of each group.

    With the codes fixed, what least squares leaves is the sum of squares minus the
    gain: no trial needs a second pass over the weights.
    """
    low = mx.min(groups.deviations, axis=0)
    step = (mx.max(groups.deviations, axis=0) - low) / groups.top
    inverse = mx.where(step > 0, 1 / mx.where(step > 0, step, 1.0), 0.0)
    start = 0.5 - low * inverse
    slope, offset = mx.zeros_like(low), mx.zeros_like(low)
    best = mx.full(low.shape, -1.0)
    for ratio in RATIOS:
        positions = groups.deviations * (inverse / ratio) + start
        trial_slope, trial_offset, gain = groups.fit(groups.codes(positions))
        better = gain > best
        slope = mx.where(better, trial_slope, slope)
        offset = mx.where(better, trial_offset, offset)
        best = mx.where(better, gain, best)
    return slope, offset
