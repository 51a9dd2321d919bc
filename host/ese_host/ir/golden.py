# SPDX-License-Identifier: Apache-2.0
"""The golden model: computes a network exactly, from dense integer weights (docs/reference/numerics.md).

It shares no code with the encoder, the schedule or the engine, so that it catches errors of all three. Sums are taken
in float64 if the worst case proves that this is exact (below 2**53), else in int64.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from ese_host.errors import CapacityError, FormatError
from ese_host.ir.activations import activate
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.network import Dense, Gru, Lstm, Matrix, Network
from ese_host.ir.sequences import are_frames, check_codes


@dataclass(frozen=True, eq=False)
class LayerResult:
    """All values of one layer, as codes (sequences, steps, width).

    There is one step in the `output` of a recurrent layer that returns only its last output, and in all values of later
    layers.

    Attributes:
        name: the layer's name.
        exact: output before rounding; for a projected LSTM the projection before rounding.
        exact_frac: fractional bits of `exact`.
        output: input of the next layer, in the layer's output format, or exact if the layer has none.
        output_frac: fractional bits of `output`.
        h: a recurrent layer's h as stored, in the state's format; with a projection the projected output y.
        c: an LSTM's c as stored, in the state's format; a GRU's h, which its cells keep in place of c.
        m_exact: a projected LSTM's o * tanh(c) before rounding.
        m: a projected LSTM's o * tanh(c) as stored.
        reset_exact: r * h of a GRU without `reset_after` before rounding.
        reset: r * h as stored.
    """

    name: str
    exact: Codes
    exact_frac: int
    output: Codes
    output_frac: int
    h: Codes | None = None
    c: Codes | None = None
    m_exact: Codes | None = None
    m: Codes | None = None
    reset_exact: Codes | None = None
    reset: Codes | None = None


@dataclass(frozen=True, eq=False)
class GoldenResult:
    """Results of all layers of a network, in the order of computation."""

    layers: tuple[LayerResult, ...]

    @property
    def outputs(self) -> Codes:
        """(sequences, steps or 1, outputs) codes of the last layer's output, with `frac` fractional bits."""
        return self.layers[-1].output

    @property
    def frac(self) -> int:
        """Fractional bits of `outputs`."""
        return self.layers[-1].output_frac


def run(network: Network, inputs: Codes) -> GoldenResult:
    """Run sequences of equal length from the zero state.

    Args:
        network: the network.
        inputs: (sequences, steps, inputs) codes in the network's source format.

    Raises:
        FormatError: if the inputs have a wrong shape or a code outside the source format.
        CapacityError: if a sum could exceed 64 bits.
    """
    if not are_frames(inputs, 3, network.inputs, kinds=None) or 0 in inputs.shape:
        raise FormatError(f"inputs have shape {inputs.shape}; expected (sequences, steps, {network.inputs})")
    check_codes(inputs, network.source, "input codes", "the source format", "quantize with Fixed.from_float")
    results: list[LayerResult] = []
    values = inputs
    for layer in network.layers:
        result = _dense(layer, values) if isinstance(layer, Dense) else _recurrent(layer, values, network.table)
        results.append(result)
        values = result.output
    return GoldenResult(tuple(results))


def weighted_sum(matrix: Matrix, vectors: Codes, source: Fixed) -> tuple[Codes, int]:
    """Multiply vectors by a weight matrix, exactly.

    Args:
        matrix: (rows, columns) weights.
        vectors: (batch, columns) codes.
        source: format of the vectors.

    Returns:
        (batch, rows) codes, and their fractional bits.

    Raises:
        CapacityError: if a sum could exceed 64 bits.
    """
    levels = matrix.levels
    scaled_parts = [(levels, matrix.scale[0])]
    if matrix.two_scales:
        scaled_parts = [(np.maximum(levels, 0), matrix.scale[0]), (np.minimum(levels, 0), matrix.scale[1])]
    total = sum(_product(vectors, part, source, int(scale.max())) * scale for part, scale in scaled_parts)
    return np.asarray(total, dtype=np.int64), source.frac + matrix.scale_frac


def _product(vectors: Codes, levels: Codes, source: Fixed, scale: int) -> Codes:
    """Multiply exactly, after a proof that two such products, each times up to `scale`, can be added in 64 bits."""
    worst = max(-source.low, source.high) * int(np.abs(levels).sum(axis=1, dtype=np.int64).max())
    if worst * scale >= 1 << 62:
        raise CapacityError(
            f"a scaled sum may reach {worst * scale}; the golden model computes sums below 2**62: narrow the weights "
            "or the inputs"
        )
    if worst < 1 << 53:
        return (vectors.astype(np.float64) @ levels.T.astype(np.float64)).astype(np.int64)
    return vectors @ levels.T


def add_exactly(*terms: tuple[Codes, int]) -> tuple[Codes, int]:
    """Sum of terms that are given as codes and their fractional bits, with the most fractional bits of any term."""
    frac = max(f for _, f in terms)
    total = sum(np.left_shift(codes, frac - f) for codes, f in terms)
    return np.asarray(total, dtype=np.int64), frac


def _dense(layer: Dense, values: Codes) -> LayerResult:
    batch, steps, _ = values.shape
    sums, frac = weighted_sum(layer.kernel, values.reshape(batch * steps, -1), layer.source)
    exact, frac = add_exactly((sums, frac), (layer.bias, layer.bias_frac))
    if layer.relu:
        exact = np.maximum(exact, 0)
    exact = exact.reshape(batch, steps, -1)
    if layer.output is None:
        return LayerResult(layer.name, exact, frac, exact, frac)
    return LayerResult(layer.name, exact, frac, layer.output.quantize(exact, frac), layer.output.frac)


def _recurrent(layer: Lstm | Gru, values: Codes, table: Codes) -> LayerResult:
    batch, steps, _ = values.shape
    h = np.zeros((batch, layer.outputs), dtype=np.int64)
    c = np.zeros((batch, layer.units), dtype=np.int64)
    m_format, projection = layer.product, layer.projection if isinstance(layer, Lstm) else None
    trace: dict[str, list[Codes]] = defaultdict(list)
    exact_frac, output_frac = layer.exact_output.frac, m_format.frac
    inputs = _PartialSums(layer.kernel, layer.source, layer.delta_input, batch)
    recurrent = _PartialSums(layer.recurrent, layer.state, layer.delta_state, batch)
    for step in range(steps):
        sums = inputs.sums(values[:, step]), recurrent.sums(h)
        if isinstance(layer, Lstm):
            c, m_exact = _lstm_cell(layer, *add_exactly(*sums, (layer.bias, layer.bias_frac)), c, table)
            traced: dict[str, Codes] = {}
        else:
            m_exact, traced = _gru_cell(layer, *sums, h, table)
            c = layer.state.quantize(m_exact, layer.exact_output.frac)
        m = m_format.quantize(m_exact, layer.exact_output.frac)
        exact, output = m_exact, m
        if projection is None:
            h = layer.state.quantize(m_exact, layer.exact_output.frac)
        else:
            exact, exact_frac = weighted_sum(projection, m, m_format)
            h = output = layer.state.quantize(exact, exact_frac)
            output_frac = layer.state.frac
            traced |= {"m_exact": m_exact, "m": m}
        for name, value in {**traced, "exact": exact, "output": output, "h": h, "c": c}.items():
            trace[name].append(value)
    arrays = {name: np.stack(parts, axis=1) for name, parts in trace.items()}
    output = arrays.pop("output")
    return LayerResult(
        name=layer.name,
        exact=arrays.pop("exact"),
        exact_frac=exact_frac,
        output=output if layer.return_sequences else output[:, -1:],
        output_frac=output_frac,
        **arrays,
    )


class _PartialSums:
    """The contribution of a layer's kernel or recurrent kernel to its sums, over the steps of a sequence.

    With a threshold (delta networks) only sufficiently changed elements are multiplied, and the products accumulate.
    """

    def __init__(self, matrix: Matrix, source: Fixed, threshold: int | None, batch: int) -> None:
        self._matrix, self._source, self._threshold = matrix, source, threshold
        self._seen = np.zeros((batch, matrix.codes.shape[1]), dtype=np.int64)
        self._sums = np.zeros((batch, len(matrix.codes)), dtype=np.int64)

    def sums(self, vectors: Codes) -> tuple[Codes, int]:
        """Exact (batch, rows) sums for one step's (batch, columns) vectors, and their fractional bits."""
        if self._threshold is None:
            return weighted_sum(self._matrix, vectors, self._source)
        change = vectors - self._seen
        change[np.abs(change) <= self._threshold] = 0
        self._seen = self._seen + change
        extra_bits = 2 - self._source.signed  # a difference needs one bit more, and one for a sign that was not there
        difference = Fixed(self._source.bits + extra_bits, self._source.integer + extra_bits)
        added, frac = weighted_sum(self._matrix, change, difference)
        self._sums = self._sums + added
        return self._sums, frac


def _lstm_cell(layer: Lstm, sums: Codes, frac: int, c: Codes, table: Codes) -> tuple[Codes, Codes]:
    """Compute c as stored, and o * tanh(c) before rounding (ESE equations 1 to 6, without the projection)."""
    gate = layer.gate.out.frac
    z_i, z_f, z_g, z_o = np.split(sums, 4, axis=1)

    def with_peephole(z: Codes, index: int, cell: Codes) -> tuple[Codes, int]:
        if layer.peepholes is None:
            return z, frac
        return add_exactly((z, frac), (layer.peepholes[index] * cell, layer.bias_frac + layer.state.frac))

    i = activate(*with_peephole(z_i, 0, c), layer.gate, table)
    f = activate(*with_peephole(z_f, 1, c), layer.gate, table)
    g = activate(z_g, frac, layer.cell, table)
    exact_c, exact_frac = add_exactly((f * c, gate + layer.state.frac), (i * g, gate + layer.cell.out.frac))
    stored_c = layer.state.quantize(exact_c, exact_frac)
    o = activate(*with_peephole(z_o, 2, stored_c), layer.gate, table)
    return stored_c, o * activate(exact_c, exact_frac, layer.cell, table)


def _gru_cell(
    layer: Gru, of_input: tuple[Codes, int], of_h: tuple[Codes, int], h: Codes, table: Codes
) -> tuple[Codes, dict[str, Codes]]:
    """Compute z * h + (1 - z) * candidate before rounding, and what else a `LayerResult` has of it.

    Args:
        layer: the layer.
        of_input: (batch, 3 * units) sums of the kernel, those of z, r and the candidate; their fractional bits.
        of_h: (batch, 3 * units) sums of the recurrent kernel, or 2 * units without `reset_after`; fractional bits.
        h: (batch, units) state of the step before.
        table: tanh table.
    """
    units, gate, cell = layer.units, layer.gate.out.frac, layer.cell.out.frac
    bias = np.split(layer.bias, 4)

    def part(sums: tuple[Codes, int], block: int, row: int) -> tuple[Codes, int]:
        """A block of sums plus the bias of one of the four rows."""
        return add_exactly((sums[0][:, block * units : (block + 1) * units], sums[1]), (bias[row], layer.bias_frac))

    def of_gate(block: int) -> Codes:
        beside = of_h[0][:, block * units : (block + 1) * units], of_h[1]
        return activate(*add_exactly(part(of_input, block, block), beside), layer.gate, table)

    z, r = of_gate(0), of_gate(1)
    traced: dict[str, Codes] = {}
    if layer.candidate is None or layer.reset is None:
        sums, frac = part(of_h, 2, 3)
        if int(np.abs(sums).max()) << gate >= 1 << 62:
            raise CapacityError(
                f"layer {layer.name!r}: the reset gate times a sum may exceed 62 bits: narrow the weights or the state"
            )
        recurrent = r * sums, gate + frac
    else:
        traced["reset_exact"] = r * h
        traced["reset"] = layer.reset.quantize(r * h, layer.exact_reset.frac)
        recurrent = part(weighted_sum(layer.candidate, traced["reset"], layer.reset), 0, 3)
    candidate = activate(*add_exactly(part(of_input, 2, 2), recurrent), layer.cell, table)
    one = 1 << gate
    exact, _ = add_exactly((z * h, gate + layer.state.frac), ((one - z) * candidate, gate + cell))
    return exact, traced
