"""The golden model: what a network computes, exactly, from dense integer weights (docs/numerics.md).

It shares nothing with the encoder, the schedule or the engine, so that it catches the errors of all three. Sums are
taken in float64 where the worst case proves that this is exact (below 2**53), else in int64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ese_host.errors import CapacityError, FormatError
from ese_host.ir.activations import activate
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.network import Dense, Lstm, Matrix, Network
from ese_host.ir.sequences import are_frames, check_codes


@dataclass(frozen=True, eq=False)
class LayerResult:
    """Every value of one layer, (sequences, steps, width) each; steps is 1 where a layer saw the last step alone.

    Attributes:
        exact: unrounded output, `exact_frac` fractional bits; for a projected LSTM the unrounded projection.
        output: what the next layer reads, in the layer's output format (the exact value where it has none).
        h, c: an LSTM's state as stored; with a projection h is the projected output y.
        m_exact, m: a projected LSTM's o * tanh(c), unrounded and as stored.
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


@dataclass(frozen=True, eq=False)
class GoldenResult:
    """Results of all layers; `outputs` is the last layer's `output`."""

    layers: tuple[LayerResult, ...]

    @property
    def outputs(self) -> Codes:
        """(sequences, steps or 1, outputs) codes with `frac` fractional bits."""
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
        FormatError: the inputs' shape or range is wrong.
    """
    if not are_frames(inputs, 3, network.inputs, kinds=None) or 0 in inputs.shape:
        raise FormatError(f"inputs have shape {inputs.shape}; expected (sequences, steps, {network.inputs})")
    check_codes(inputs, network.source, "input codes", "the source format", "quantize with Fixed.from_float")
    results: list[LayerResult] = []
    values = inputs
    for layer in network.layers:
        result = _lstm(layer, values, network.table) if isinstance(layer, Lstm) else _dense(layer, values)
        results.append(result)
        values = result.output
    return GoldenResult(tuple(results))


def weighted_sum(matrix: Matrix, vectors: Codes, source: Fixed) -> tuple[Codes, int]:
    """Exact matrix products and their fractional bits.

    Args:
        matrix: (rows, columns) weights.
        vectors: (batch, columns) codes.
        source: their format.

    Returns:
        (batch, rows) codes.
    """
    levels = matrix.levels
    signs = [(levels, matrix.scale[0])]
    if matrix.two_scales:
        signs = [(np.maximum(levels, 0), matrix.scale[0]), (np.minimum(levels, 0), matrix.scale[1])]
    total = sum(_product(vectors, part, source, int(scale.max())) * scale for part, scale in signs)
    return np.asarray(total, dtype=np.int64), source.frac + matrix.scale_frac


def _product(vectors: Codes, levels: Codes, source: Fixed, scale: int) -> Codes:
    """Exact products, proven to leave room for a factor of up to `scale` and for the sum of two."""
    worst = max(-source.low, source.high) * int(np.abs(levels).sum(axis=1, dtype=np.int64).max())
    if worst * scale >= 1 << 62:
        raise CapacityError(
            f"a scaled sum may reach {worst * scale}; 2**62 is the most that is computed: narrow the weights or inputs"
        )
    if worst < 1 << 53:
        return (vectors.astype(np.float64) @ levels.T.astype(np.float64)).astype(np.int64)
    return vectors @ levels.T


def align(*terms: tuple[Codes, int]) -> tuple[Codes, int]:
    """Exact sum of terms with different fractional bits."""
    frac = max(f for _, f in terms)
    total = sum(np.left_shift(codes, frac - f) for codes, f in terms)
    return np.asarray(total, dtype=np.int64), frac


def _dense(layer: Dense, values: Codes) -> LayerResult:
    batch, steps, _ = values.shape
    sums, frac = weighted_sum(layer.kernel, values.reshape(batch * steps, -1), layer.source)
    exact, frac = align((sums, frac), (layer.bias, layer.bias_frac))
    if layer.relu:
        exact = np.maximum(exact, 0)
    exact = exact.reshape(batch, steps, -1)
    if layer.output is None:
        return LayerResult(layer.name, exact, frac, exact, frac)
    return LayerResult(layer.name, exact, frac, layer.output.quantize(exact, frac), layer.output.frac)


def _lstm(layer: Lstm, values: Codes, table: Codes) -> LayerResult:
    batch, steps, _ = values.shape
    h = np.zeros((batch, layer.outputs), dtype=np.int64)
    c = np.zeros((batch, layer.units), dtype=np.int64)
    m_format = layer.product
    trace: dict[str, list[Codes]] = {name: [] for name in ("exact", "output", "h", "c", "m_exact", "m")}
    exact_frac, output_frac = layer.exact_output.frac, m_format.frac
    inputs = _Part(layer.kernel, layer.source, layer.delta_input, batch)
    recurrent = _Part(layer.recurrent, layer.state, layer.delta_state, batch)
    for step in range(steps):
        sums, frac = align(inputs.sums(values[:, step]), recurrent.sums(h), (layer.bias, layer.bias_frac))
        c, m_exact = _cell(layer, sums, frac, c, table)
        m = m_format.quantize(m_exact, layer.exact_output.frac)
        exact, output = m_exact, m
        if layer.projection is None:
            h = layer.state.quantize(m_exact, layer.exact_output.frac)
        else:
            exact, exact_frac = weighted_sum(layer.projection, m, m_format)
            h = output = layer.state.quantize(exact, exact_frac)
            output_frac = layer.state.frac
        for name, value in zip(trace, (exact, output, h, c, m_exact, m), strict=True):
            trace[name].append(value)
    arrays = {name: np.stack(parts, axis=1) for name, parts in trace.items()}
    projected = layer.projection is not None
    return LayerResult(
        layer.name,
        arrays["exact"],
        exact_frac,
        arrays["output"] if layer.return_sequences else arrays["output"][:, -1:],
        output_frac,
        arrays["h"],
        arrays["c"],
        arrays["m_exact"] if projected else None,
        arrays["m"] if projected else None,
    )


class _Part:
    """Input or recurrent part of an LSTM's sums. With a threshold it sees changes alone, and adds them up."""

    def __init__(self, matrix: Matrix, source: Fixed, threshold: int | None, batch: int) -> None:
        self._matrix, self._source, self._threshold = matrix, source, threshold
        self._seen = np.zeros((batch, matrix.codes.shape[1]), dtype=np.int64)
        self._sums = np.zeros((batch, len(matrix.codes)), dtype=np.int64)

    def sums(self, vectors: Codes) -> tuple[Codes, int]:
        """Exact sums of one step's (batch, columns) vectors, and their fractional bits."""
        if self._threshold is None:
            return weighted_sum(self._matrix, vectors, self._source)
        change = vectors - self._seen
        change[np.abs(change) <= self._threshold] = 0
        self._seen = self._seen + change
        wider = 2 - self._source.signed
        difference = Fixed(self._source.bits + wider, self._source.integer + wider)
        added, frac = weighted_sum(self._matrix, change, difference)
        self._sums = self._sums + added
        return self._sums, frac


def _cell(layer: Lstm, sums: Codes, frac: int, c: Codes, table: Codes) -> tuple[Codes, Codes]:
    """New c as stored, and the exact o * tanh(c) (ESE equations 1 to 6 without the projection)."""
    gate = layer.gate.out.frac
    z_i, z_f, z_g, z_o = np.split(sums, 4, axis=1)

    def peep(z: Codes, which: int, cell: Codes) -> tuple[Codes, int]:
        if layer.peepholes is None:
            return z, frac
        return align((z, frac), (layer.peepholes[which] * cell, layer.bias_frac + layer.state.frac))

    i = activate(*peep(z_i, 0, c), layer.gate, table)
    f = activate(*peep(z_f, 1, c), layer.gate, table)
    g = activate(z_g, frac, layer.cell, table)
    new, new_frac = align((f * c, gate + layer.state.frac), (i * g, gate + layer.cell.out.frac))
    stored = layer.state.quantize(new, new_frac)
    o = activate(*peep(z_o, 2, stored), layer.gate, table)
    return stored, o * activate(new, new_frac, layer.cell, table)
