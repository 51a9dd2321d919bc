# SPDX-License-Identifier: Apache-2.0
"""Proof that no sum overflows, from the actual weights of each row and the range of the input.

`acc_bits_of` proves the width of the accumulators, `check_row_sums` that no scaled sum exceeds the engine's 48 bits.
"""

from __future__ import annotations

import numpy as np

from ese_hls.encode.schedule import MatrixPhase, Schedule
from ese_host.errors import CapacityError
from ese_host.image import SUM_BITS
from ese_host.ir import GATES, Codes, Fixed, Gru, Layer, Lstm, Matrix


def partial_sums(matrix: Matrix, source: Fixed) -> tuple[Codes, Codes]:
    """Bounds of the partial sums of each row of a matrix.

    Whatever the order of the entries, a partial sum lies between the sum of the smallest and the sum of the largest
    products, because the range of every product includes zero.

    Args:
        matrix: the weights.
        source: format of the inputs that are multiplied.

    Returns:
        The lower and the upper bounds, each (2, rows): first for the sums of positive weights, then for those of
        negative weights. If the matrix has one scale, the first row bounds the sum of all weights, the second is zero.
    """
    levels = matrix.levels
    low = np.minimum(levels * source.low, levels * source.high)
    high = np.maximum(levels * source.low, levels * source.high)
    if not matrix.two_scales:
        zero = np.zeros(len(levels), dtype=np.int64)
        return np.stack([low.sum(axis=1), zero]), np.stack([high.sum(axis=1), zero])
    banks = (levels > 0, levels < 0)
    return np.stack([(low * b).sum(axis=1) for b in banks]), np.stack([(high * b).sum(axis=1) for b in banks])


def largest_change(matrix: Matrix, source: Fixed) -> int:
    """Bound of a single term of a delta layer: the largest magnitude of a level times the largest change of an input.

    The sums of a delta layer need no bounds of their own: before and after every term, the sum of a row equals its
    levels times some vector of inputs within their range, so it lies within `partial_sums`.
    """
    return int(np.abs(matrix.levels).max()) * (source.high - source.low)


def bits_for(low: int, high: int) -> int:
    """Width in bits of the smallest two's complement integer that holds all values from `low` to `high`.

    >>> bits_for(-8, 7), bits_for(0, 8), bits_for(0, 0)
    (4, 5, 1)
    """
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1


def check_sum(name: str, source: Fixed, low: int, high: int) -> None:
    """Refuse a layer whose scaled sums could overflow their register.

    Args:
        name: name of the layer, for the message.
        source: format of its inputs, for the message.
        low: smallest value that a scaled sum can reach.
        high: largest value that a scaled sum can reach.

    Raises:
        CapacityError: if the sum may need more than 48 bits.
    """
    bits = bits_for(low, high)
    if bits > SUM_BITS:
        raise CapacityError(
            f"layer {name!r}: a sum of its weights times inputs of format {source} may need {bits} bits; the sums of "
            f"the engine have {SUM_BITS}: give the input or the layer before it {bits - SUM_BITS} integer bits less, "
            "by a quantizer or hls_config['LayerName'][...]['Precision']['result'], or prune more"
        )


def check_row_sums(item: MatrixPhase, layer: Layer, planned: Schedule, scale: Codes, bias: Codes) -> None:
    """Prove that no scaled sum of an element-wise stage overflows.

    Args:
        item: the phase with the stage.
        layer: the layer that the stage computes.
        planned: the schedule, which has the other matrices that are summed before the stage.
        scale: (items, columns, banks) scales of the stage: four columns for a cell, one for any other row.
        bias: (items, columns) biases of the stage.

    Raises:
        CapacityError: if a sum could need more than 48 bits.
    """
    phase = item.phase
    low = (bias << phase.bias_shift).astype(object)
    high = low.copy()
    for part in planned.summed_before(item):
        lows, highs = partial_sums(part.matrix, part.source)
        for block, column in enumerate(part.columns(scale.shape[1])):
            rows = slice(block * phase.items, (block + 1) * phase.items)
            for sign, bank in enumerate((part.phase.bank_positive, part.phase.bank_negative)):
                shift = phase.peephole_shift if part.is_alone(column) else phase.bank_shift[bank]
                factor = scale[:, column, bank].astype(object) << shift
                low[:, column] += lows[sign][rows] * factor
                high[:, column] += highs[sign][rows] * factor
    if isinstance(layer, Lstm) and layer.peepholes is not None and phase.has("peepholes"):
        reach = int(np.abs(layer.peepholes).max()) * -layer.state.low << phase.peephole_shift
        low, high = low - reach, high + reach
    check_sum(layer.name, layer.source, int(low.min()), int(high.max()))
    if isinstance(layer, Gru):
        # The candidate's input part, plus its recurrent part times the reset gate, which is at most 1.
        candidate = sum(int(max((-low[:, column]).max(), high[:, column].max())) for column in (2, 3))
        check_sum(layer.name, layer.source, -candidate, candidate)


def acc_bits_of(planned: Schedule) -> int:
    """Accumulator width in bits that is proved sufficient for every partial sum of every row."""
    needed = 1
    for item in planned.phases:
        if item.layer is None:
            continue
        ranges: dict[tuple[int, int], tuple[Codes, Codes]] = {}
        for part in planned.summed_before(item):
            lows, highs = partial_sums(part.matrix, part.source)
            columns = part.columns(GATES if item.phase.has("lstm") else 1)
            for sign, bank in enumerate((part.phase.bank_positive, part.phase.bank_negative)):
                blocks = zip(np.split(lows[sign], len(columns)), np.split(highs[sign], len(columns)), strict=True)
                for column, (low, high) in zip(columns, blocks, strict=True):
                    before = ranges.get((bank, column), (np.int64(0), np.int64(0)))
                    ranges[bank, column] = (before[0] + low, before[1] + high)
            if part.phase.has("delta"):
                change = largest_change(part.matrix, part.source)
                needed = max(needed, bits_for(-change, change))
        needed = max([needed, *(bits_for(int(low.min()), int(high.max())) for low, high in ranges.values())])
    return needed
