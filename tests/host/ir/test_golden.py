# SPDX-License-Identifier: Apache-2.0
"""The golden model, compared with a scalar reference in exact fractions that was written only from numerics.md."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_host.bundle import golden_file
from ese_host.errors import CapacityError, FormatError
from ese_host.ir import golden
from ese_host.ir.activations import Activation
from ese_host.ir.activations import activate as activate_codes
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.network import Dense, Gru, Lstm, Matrix, Network
from ese_host.ir.tables import tanh_table
from ese_host.ir.weight_kinds import WeightKind
from support.networks import HARD, HARD8, SMOOTH, SMOOTH16, Spec, inputs, network, widened

SPECS = [
    Spec(inputs=3, units=(3,), outputs=2),
    Spec(inputs=2, units=(3,), projection=2, peepholes=True, outputs=0, sequences=True, activations=SMOOTH16),
    Spec(inputs=2, units=(2, 3), outputs=2, kind="codebook4", activations=HARD, sequences=True),
    Spec(inputs=3, units=(2,), hidden=(3,), outputs=2, kind="int4"),
    Spec(inputs=3, units=(3,), outputs=2, kind="int8", activations=HARD8),
    Spec(inputs=2, units=(2,), hidden=(3,), outputs=2, kind="int12", two_scales=True),
    Spec(inputs=2, units=(3,), projection=2, outputs=0, sequences=True, kind="int16", activations=SMOOTH),
    Spec(inputs=3, units=(3,), outputs=2, two_scales=True),
    Spec(inputs=3, units=(3,), outputs=2, two_scales=True, delta=(9000, 400)),
    Spec(
        inputs=2, units=(3, 2), projection=2, peepholes=True, outputs=0, sequences=True, activations=SMOOTH16,
        delta=(None, 900),
    ),
    Spec(inputs=3, units=(3,), cells=("gru",), outputs=2),
    Spec(inputs=2, units=(2, 3), cells=("gru", "gru_before"), outputs=2, kind="codebook4", activations=HARD),
    Spec(inputs=2, units=(3,), cells=("gru_before",), outputs=0, output=None, sequences=True, kind="int16"),
    Spec(inputs=3, units=(2, 2), cells=("gru_before", "lstm"), hidden=(3,), outputs=2, activations=SMOOTH16),
    Spec(inputs=2, units=(3,), cells=("gru",), outputs=0, two_scales=True, activations=HARD, delta=(9000, 400)),
    Spec(inputs=3, units=(3,), cells=("gru",), outputs=2, kind="int12", activations=SMOOTH, delta=(None, 900)),
    Spec(inputs=3, units=(3,), cells=("gru_before",), outputs=0, kind="int8", activations=HARD8, state=Fixed(8, 3)),
]  # fmt: skip


def quantize(value: Fraction, form: Fixed) -> Fraction:
    code = min(max(round(value * Fraction(2) ** form.frac), form.low), form.high)
    return Fraction(code) / Fraction(2) ** form.frac


def real(codes: Codes, frac: int) -> list[Fraction]:
    return [Fraction(int(c)) / 2**frac for c in codes]


def activate(x: Fraction, activation: Activation, table: Codes) -> Fraction:
    if activation.hard:
        clipped = min(max(x, Fraction(-64)), Fraction(64))
        line = clipped * Fraction(activation.slope, 1 << 15) + Fraction(activation.offset, 1 << 15)
        least = {"hard_tanh": -1, "hard_sigmoid": 0}[activation.kind]
        return quantize(min(max(line, Fraction(least)), Fraction(1)), activation.out)
    half = activation.kind == "sigmoid"
    magnitude = min(int(abs(x) / (2 if half else 1) * 2**20), 2**23 - 1)
    segment, rest = divmod(magnitude, 1 << 13)
    tanh = Fraction(int(table[0][segment]) + (int(table[1][segment]) * rest >> 13), 1 << 19)
    tanh = -tanh if x < 0 else tanh
    return quantize((1 + tanh) / 2 if half else tanh, activation.out)


def product(matrix: Matrix, vector: list[Fraction]) -> list[Fraction]:
    result = []
    for row in range(len(matrix.codes)):
        total = Fraction(0)
        for column, x in enumerate(vector):
            level = int(matrix.levels[row, column])
            total += level * Fraction(int(matrix.scale[int(level < 0), row]), 2**matrix.scale_frac) * x
        result.append(total)
    return result


def last_broadcast(before: list[Fraction], now: list[Fraction], threshold: int | None, frac: int) -> list[Fraction]:
    """The vector as a delta network uses it: an element keeps its old value until it changes by more than a threshold.

    The threshold is a code with `frac` fractional bits; without one every element is up to date.
    """
    if threshold is None:
        return now
    limit = Fraction(threshold) / 2**frac
    return [new if abs(new - old) > limit else old for old, new in zip(before, now, strict=True)]


Values = list[Fraction]


def gru_step(layer: Gru, x: Values, seen_h: Values, h: Values, table: Codes) -> tuple[Values, Values]:
    """The new h of a GRU before rounding, and r * h as stored; `seen_h` is what the recurrent kernel multiplies."""
    n = layer.units
    bias = [real(part, layer.bias_frac) for part in np.split(layer.bias, 4)]
    of_x, of_h = product(layer.kernel, x), product(layer.recurrent, seen_h)
    z, r = (
        [activate(of_x[k * n + u] + of_h[k * n + u] + bias[k][u], layer.gate, table) for u in range(n)] for k in (0, 1)
    )
    kept: Values = []
    if layer.candidate is None or layer.reset is None:
        beside = [r[u] * (of_h[2 * n + u] + bias[3][u]) for u in range(n)]
    else:
        kept = [quantize(r[u] * h[u], layer.reset) for u in range(n)]
        beside = product(layer.candidate, kept)
    candidate = [activate(of_x[2 * n + u] + bias[2][u] + beside[u], layer.cell, table) for u in range(n)]
    return [z[u] * h[u] + (1 - z[u]) * candidate[u] for u in range(n)], kept


def step(layer: Lstm, x: Values, h: Values, c: Values, table: Codes) -> tuple[Values, Values, Values]:
    n = layer.units
    bias = real(layer.bias, layer.bias_frac)
    z = [a + b + d for a, b, d in zip(product(layer.kernel, x), product(layer.recurrent, h), bias, strict=True)]
    peep = (
        [real(p, layer.bias_frac) for p in layer.peepholes] if layer.peepholes is not None else [[Fraction(0)] * n] * 3
    )
    new_c, exact = [], []
    for u in range(n):
        i = activate(z[u] + peep[0][u] * c[u], layer.gate, table)
        f = activate(z[n + u] + peep[1][u] * c[u], layer.gate, table)
        g = activate(z[2 * n + u], layer.cell, table)
        unrounded = f * c[u] + i * g
        stored = quantize(unrounded, layer.state)
        o = activate(z[3 * n + u] + peep[2][u] * stored, layer.gate, table)
        new_c.append(stored)
        exact.append(o * activate(unrounded, layer.cell, table))
    output = exact if layer.output is None else [quantize(v, layer.output) for v in exact]
    if layer.projection is None:
        return [quantize(v, layer.state) for v in exact], new_c, output
    y = [quantize(v, layer.state) for v in product(layer.projection, output)]
    return y, new_c, y


@settings(max_examples=40)
@given(st.sampled_from(SPECS), st.integers(0, 2**32 - 1), st.booleans())
def test_golden_equals_exact_fractions(spec: Spec, seed: int, rails: bool) -> None:
    rng = np.random.default_rng(seed)
    net = network(rng, widened(spec, density=0.6))
    codes = inputs(rng, net, 1, 4, rails, moves=0.5)
    found = golden.run(net, codes)
    frames = [real(frame, net.source.frac) for frame in codes[0]]
    for layer, result in zip(net.layers, found.layers, strict=True):
        if isinstance(layer, Dense):
            bias = real(layer.bias, layer.bias_frac)
            exact = [[v + b for v, b in zip(product(layer.kernel, x), bias, strict=True)] for x in frames]
            exact = [[max(v, Fraction(0)) if layer.relu else v for v in x] for x in exact]
            outputs = exact if layer.output is None else [[quantize(v, layer.output) for v in x] for x in exact]
        else:
            h, c = [Fraction(0)] * layer.outputs, [Fraction(0)] * layer.units
            outputs = []
            seen_x, seen_h = [Fraction(0)] * len(frames[0]), h
            for t, x in enumerate(frames):
                seen_x = last_broadcast(seen_x, x, layer.delta_input, layer.source.frac)
                seen_h = last_broadcast(seen_h, h, layer.delta_state, layer.state.frac)
                if isinstance(layer, Gru):
                    exact_h, kept = gru_step(layer, seen_x, seen_h, h, net.table)
                    h = c = [quantize(v, layer.state) for v in exact_h]
                    output = exact_h if layer.output is None else [quantize(v, layer.output) for v in exact_h]
                    assert real(result.exact[0, t], result.exact_frac) == exact_h
                    if layer.reset is not None:
                        assert result.reset is not None
                        assert real(result.reset[0, t], layer.reset.frac) == kept
                else:
                    h, c, output = step(layer, seen_x, seen_h, c, net.table)
                assert result.h is not None and result.c is not None
                assert real(result.h[0, t], layer.state.frac) == h
                assert real(result.c[0, t], layer.state.frac) == c
                outputs.append(output)
            outputs = outputs if layer.return_sequences else outputs[-1:]
        assert [real(x, result.output_frac) for x in result.output[0]] == outputs
        frames = outputs


@given(st.sampled_from(SPECS), st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_golden_npz_round_trip(spec: Spec, seed: int) -> None:
    net = network(np.random.default_rng(seed), spec)
    data = golden_file.dump(net)
    assert data == golden_file.dump(net)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "golden.npz"
        path.write_bytes(data)
        again = golden_file.load_network(path)
    codes = inputs(np.random.default_rng(1), net, 2, 3)
    np.testing.assert_array_equal(golden.run(net, codes).outputs, golden.run(again, codes).outputs)
    assert golden_file.dump(again) == data


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04junk", b"not a zip file at all"])
def test_a_file_that_is_no_golden_npz_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "golden.npz"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"golden\.npz"):
        golden_file.load_network(path)


def test_inputs_of_another_shape_or_range_are_refused() -> None:
    net = network(np.random.default_rng(0), SPECS[0])
    with pytest.raises(FormatError, match=r"inputs have shape \(1, 2, 4\)"):
        golden.run(net, np.zeros((1, 2, 4), dtype=np.int64))
    with pytest.raises(FormatError, match="input codes span"):
        golden.run(net, np.full((1, 2, 3), 1 << 16))


def test_a_kind_refuses_codes_that_it_does_not_hold() -> None:
    scale = np.ones((2, 1), dtype=np.int64)
    ranges: tuple[tuple[WeightKind, int, int], ...] = (
        ("int4", -8, 7),
        ("int8", -128, 127),
        ("int12", -2048, 2047),
        ("int16", -32768, 32767),
    )
    for kind, low, high in ranges:
        Matrix(np.array([[low, high]]), kind, scale, 0)
        message = rf"{kind} codes span 0\.\.{high + 1}; {low}\.\.{high} are allowed: quantize first"
        with pytest.raises(FormatError, match=message):
            Matrix(np.array([[0, high + 1]]), kind, scale, 0)


def test_sums_that_could_leave_64_bits_are_refused() -> None:
    matrix = Matrix(np.full((1, 1 << 16), -(1 << 15)), "int16", np.full((2, 1), (1 << 16) - 1), 0)
    with pytest.raises(
        CapacityError, match=r"a scaled sum may reach 9223231299366420480; the golden model computes sums below 2\*\*62"
    ):
        golden.weighted_sum(matrix, np.zeros((1, 1 << 16), dtype=np.int64), Fixed(17, 17))


def test_smooth_activations_stay_within_one_lsb_of_16_bits() -> None:
    table = tanh_table()
    x = np.arange(-(20 << 18), 20 << 18, 37)
    real_x = np.ldexp(x.astype(np.float64), -18)
    tanh, sigmoid = Activation("tanh", Fixed(16, 1)), Activation("sigmoid", Fixed(16, 0, signed=False))
    assert np.abs(tanh.out.to_float(activate_codes(x, 18, tanh, table)) - np.tanh(real_x)).max() <= 2.0**-15
    expected = 1 / (1 + np.exp(-real_x))
    assert np.abs(sigmoid.out.to_float(activate_codes(x, 18, sigmoid, table)) - expected).max() <= 2.0**-16


def test_the_network_refuses_layers_that_do_not_fit() -> None:
    net = network(np.random.default_rng(0), SPECS[0])
    with pytest.raises(FormatError, match="takes 3 inputs; 2 arrive"):
        Network((net.layers[1], net.layers[1]), net.source)
