# SPDX-License-Identifier: Apache-2.0
"""Compression report: streams hold every weight, bits are counted exactly, tables have the paper's columns."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from bitarray import bitarray
from bitarray.util import huffman_code
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from qkeras import QLSTM, QDense, quantized_bits, ternary

from ese_host.errors import FormatError, UnsupportedError
from ese_host.ir import CELL_ROWS
from ese_models.cli import report as report_cli
from ese_models.masking import sparsity
from ese_models.networks.builder import Formats, Weights, classifier
from ese_models.networks.inspection import kernels, weight_quantizers
from ese_models.networks.qlstmp import QLSTMP
from ese_models.records.compression_report import GAP_BITS, CountedMatrix, huffman_bits, report, size_of, streams
from ese_models.records.counted_matrices import of_model
from ese_models.training.own_model import prune, quantize
from support.random_data import GRU_PLACES


@st.composite
def matrices(draw: st.DrawFn) -> CountedMatrix:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    places = draw(st.sampled_from([(0,), CELL_ROWS, *GRU_PLACES]))
    bits = draw(st.sampled_from([1, 4, 6]))
    shape = (draw(st.integers(1, 12)) * len(places), draw(st.integers(1, 15)))
    most = 1 if bits == 1 else (1 << bits) - 1
    codes = rng.integers(1, most + 1, shape) * (rng.random(shape) < draw(st.sampled_from([0.0, 0.05, 0.3, 1.0])))
    if bits == 1:
        codes *= rng.choice([-1, 1], shape)
    return CountedMatrix("m", codes, bits, bits == 1, places, draw(st.integers(0, 9)), draw(st.integers(0, 9)))


@given(matrices(), st.integers(1, 9), st.integers(2, 12))
@settings(max_examples=30, deadline=None)
def test_the_streams_hold_every_weight_and_nothing_else(matrix: CountedMatrix, pes: int, gap_bits: int) -> None:
    gaps, codes = streams(matrix, pes, gap_bits)
    assert gaps.min(initial=0) >= 0 and gaps.max(initial=0) < 1 << gap_bits and len(gaps) == len(codes)
    assert sorted(codes[codes != 0].tolist()) == sorted(matrix.codes[matrix.codes != 0].tolist())
    assert (gaps[codes == 0] == (1 << gap_bits) - 1).all()
    size = size_of(matrix, pes, gap_bits)
    assert size.entries - size.kept == (codes == 0).sum() and size.kept == (matrix.codes != 0).sum()
    assert size.code_stream == len(codes) * matrix.code_bits and size.index_stream == len(gaps) * gap_bits
    assert size.numbers == 16 * (matrix.numbers + matrix.biases) and size.tables == 5 * (
        2**gap_bits + 2**matrix.code_bits
    )
    best = min(size_of(matrix, pes, bits).entries * (bits + matrix.code_bits) for bits in GAP_BITS)
    chosen = size_of(matrix, pes)
    assert chosen.code_stream + chosen.index_stream == best


@given(st.lists(st.integers(-3, 20), max_size=200))
@settings(deadline=None)
def test_huffman_bits_are_those_of_a_coded_stream(symbols: list[int]) -> None:
    coded = bitarray()
    if symbols:
        coded.encode(huffman_code({s: symbols.count(s) for s in symbols}), symbols)
    assert huffman_bits(np.array(symbols, dtype=np.int64)) == len(coded)


def test_columns_by_hand() -> None:
    """A matrix on one PE that keeps 8 of 16 weights: a first gap of 0, then gaps of 1, and 2-bit codes."""
    codes = np.zeros((1, 16), dtype=np.int64)
    codes[0, ::2] = [1, 1, 1, 1, 1, 1, 2, 3]
    size = size_of(CountedMatrix("m", codes, 2, numbers=4, biases=1), 1, 3)
    assert (size.kept, size.entries, size.original) == (8, 8, 32 * 17)
    assert (size.code_stream, size.index_stream, size.numbers) == (16, 24, 80)
    assert (size.code_huffman, size.index_huffman, size.tables) == (6 + 2 + 2, 8, 5 * (8 + 4))
    columns = size.columns()
    assert columns["kept %"] == 50 and columns["weight bits P+Q"] == 2 and columns["weight bits P+Q+H"] == 1.25
    assert columns["index bits P+Q"] == 3 and columns["index bits P+Q+H"] == 1
    assert columns["compress rate P+Q %"] == 100 * 120 / 544 and columns["P+Q+H x"] == 544 / (10 + 8 + 60 + 80)
    whole = report([CountedMatrix("m", codes, 2), CountedMatrix("n", codes, 2)], 1, 3)[-1]
    assert (whole.name, whole.kept, whole.code_stream) == ("total", 16, 32)


def filled(weights: Weights, bits: int = 4) -> Any:
    rng = np.random.default_rng(3)
    formats = Formats(codebook_bits=bits)
    model = classifier(units=6, outputs=3, steps=4, features=5, weights=weights, formats=formats)
    for name, variable in kernels(model).items():
        values = (rng.normal(size=variable.shape) * (rng.random(variable.shape) < 0.4)).astype(np.float32)
        variable.assign(values)
        if weights == "codebook4":
            weight_quantizers(model)[name].fit(values)
        if weights == "ttq":
            weight_quantizers(model)[name].start(values)
    return model


@pytest.mark.parametrize(
    ("weights", "bits", "code_bits", "numbers"),
    [
        ("float", 4, 32, 0),
        ("ternary", 4, 1, 24),
        ("int4", 4, 4, 24),
        ("ttq", 4, 1, 48),
        ("codebook4", 4, 4, 17),
        ("codebook4", 6, 6, 65),
    ],
)
def test_models_of_every_kind(weights: Weights, bits: int, code_bits: int, numbers: int) -> None:
    model = filled(weights, bits)
    found = of_model(model)
    assert [m.name for m in found] == ["lstm/kernel", "lstm/recurrent_kernel", "dense/kernel"]
    assert [m.places for m in found] == [CELL_ROWS, CELL_ROWS, (0,)] and [m.biases for m in found] == [24, 0, 3]
    assert found[0].code_bits == code_bits and found[0].numbers == numbers
    for matrix, variable in zip(found, kernels(model).values(), strict=True):
        assert ((matrix.codes != 0) == (np.asarray(variable).T != 0)).all()


def test_peepholes_are_no_kernel() -> None:
    model = keras.Sequential([keras.Input((5, 4)), QLSTMP(3, 2, return_sequences=True, name="lstm"), QDense(2)])
    found = of_model(model)
    assert [m.name for m in found[:3]] == ["lstm/kernel", "lstm/recurrent_kernel", "lstm/projection_kernel"]
    assert [m.biases for m in found] == [12 + 9, 0, 0, 2]


def test_stock_quantizers_and_nested_layers() -> None:
    rng = np.random.default_rng(0)
    lstm = QLSTM(3, kernel_quantizer=quantized_bits(4, 0, alpha="auto"), recurrent_quantizer=ternary(alpha="auto"))
    model = keras.Sequential(
        [
            keras.Input((5, 4)),
            keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True)),
            lstm,
            QDense(2, kernel_quantizer=quantized_bits(3, 0, alpha=1)),
        ]
    )
    for variable in model.weights:
        if variable.path.endswith("kernel"):
            variable.assign(rng.normal(size=variable.shape))
    found = of_model(model)
    assert [matrix.name.partition("/")[2] for matrix in found] == [
        *("forward/kernel", "forward/recurrent_kernel", "backward/kernel", "backward/recurrent_kernel"),
        *("kernel", "recurrent_kernel"),
        "kernel",
    ]
    kernel, recurrent, dense = found[4:]
    expected = np.asarray(model.layers[-1].kernel_quantizer_internal(model.layers[-1].kernel)).T
    assert dense.code_bits == 3 and ((dense.codes != 0) == (expected != 0)).all()
    assert len(np.unique(dense.codes)) == len(np.unique(expected))
    assert kernel.code_bits == 4 and recurrent.ternary and (kernel.places, dense.places) == (CELL_ROWS, (0,))


@pytest.mark.parametrize("reset_after", [True, False])
def test_the_matrices_of_a_gru(reset_after: bool) -> None:
    layers = [keras.Input((6, 5)), keras.layers.GRU(8, reset_after=reset_after, name="g")]
    coded = quantize(prune(keras.Sequential(layers), density=0.25, pes=4, emphasis=(1, 1)), "ttq")
    found = of_model(coded)
    shapes: dict[str, tuple[tuple[int, int], tuple[int, ...]]]
    shapes = {"g/kernel": ((24, 5), (0, 1, 2)), "g/recurrent_kernel": ((24, 8), (0, 1, 3))}
    if not reset_after:
        shapes |= {"g/recurrent_kernel": ((16, 8), (0, 1)), "g/candidate_kernel": ((8, 8), (3,))}
    assert {m.name: (m.codes.shape, m.places) for m in found} == shapes
    # two scales of each output, those of the recurrent kernel together; a GRU has one or two biases of each
    assert [m.numbers for m in found] == [48, 48, 0][: len(found)]
    assert [m.biases for m in found] == [48 if reset_after else 24, 0, 0][: len(found)]
    gap_bits = sparsity(coded).gap_bits
    assert [size.entries for size in report(found, 4, gap_bits)[:-1]] == [
        sum(kernel.entries_per_pe) for kernel in sparsity(coded).kernels
    ]


def test_the_command_prints_and_writes_tables(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    filled("codebook4").save(path)

    def run(*words: object) -> str:
        result = CliRunner().invoke(report_cli.report, ["compression", str(path), *map(str, words)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    found = json.loads(run("--json", "--pes", 2, "--gap-bits", 4))
    assert [row["name"] for row in found["matrices"]] == ["lstm/kernel", "lstm/recurrent_kernel", "dense/kernel"]
    assert found["pes"] == 2 and found["total"]["kept"] == sum(row["kept"] for row in found["matrices"])
    text = run("--out", tmp_path / "table.md")
    assert (tmp_path / "table.md").read_text() == text and text.splitlines()[-1].startswith("| total | 282 |")
    run("--out", tmp_path / "table.html")
    page = (tmp_path / "table.html").read_text()
    assert page.count("<tr>") == 5 and "<td>lstm/kernel</td>" in page
    with pytest.raises(FormatError, match=r"table\.txt ends in '\.txt'; \.md or \.html is allowed$"):
        run("--out", tmp_path / "table.txt")


def test_a_model_without_kernels_is_refused() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.ReLU()])
    message = r"^the model has layers ReLU, none of them with a kernel: there is nothing to store$"
    with pytest.raises(UnsupportedError, match=message):
        of_model(model)
