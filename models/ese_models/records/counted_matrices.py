# SPDX-License-Identifier: Apache-2.0
"""Matrices of a Keras model or of a design folder, for `ese_models.records.compression_report`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ese_host.bundle import GOLDEN, Folder, golden_file
from ese_host.errors import UnsupportedError
from ese_host.image import MatrixSize
from ese_host.ir import WEIGHT_KINDS, Lstm, Matrix, TellsCodebook, tells_codes
from ese_models.networks import engine_matrices, kernel_name
from ese_models.records.compression_report import FLOAT_BITS, CountedMatrix


def of_model(model: Any) -> list[CountedMatrix]:
    """All kernels of a Keras model, those of wrapped layers (bidirectional, time-distributed) included.

    Raises:
        UnsupportedError: if the model has no kernel, or a quantizer has more levels per scale than its bits allow.
        FormatError: if a weight is not finite.
    """
    matrices = [matrix for layer in model.layers for matrix in _of_layer(layer, layer.name)]
    if not matrices:
        names = ", ".join(type(layer).__name__ for layer in model.layers)
        raise UnsupportedError(f"the model has layers {names}, none of them with a kernel: there is nothing to store")
    return matrices


def _of_layer(layer: Any, name: str) -> Iterator[CountedMatrix]:
    """Kernels of a layer or of the layers that it wraps; the first kernel carries the layer's biases."""
    inner = [(part, getattr(layer, part, None)) for part in ("forward_layer", "backward_layer", "layer")]
    if any(nested is not None for _, nested in inner):
        for part, nested in inner:
            if nested is not None:
                yield from _of_layer(nested, f"{name}/{part.removesuffix('_layer')}")
        return
    holder = getattr(layer, "cell", layer)
    named = {variable.path.split("/")[-1]: variable for variable in holder.weights}
    # Quantizers have variables too; a weight of the layer is also its attribute.
    named = {key: variable for key, variable in named.items() if getattr(holder, key, None) is variable}
    # Peepholes have two axes too, but each row is a diagonal.
    kernels = {
        key: variable
        for key, variable in named.items()
        if key.endswith("kernel") and key != "peephole_kernel" and len(variable.shape) == 2
    }
    others = sum(int(np.prod(variable.shape)) for key, variable in named.items() if key not in kernels)
    for number, (key, variable) in enumerate(kernels.items()):
        quantizer = getattr(holder, f"{key.removesuffix('_kernel')}_quantizer_internal", None)
        weights, biases = np.asarray(variable, dtype=np.float32), 0 if number else others
        yield from _divided(name, _matrix(f"{name}/{key}", weights, quantizer, biases), engine_matrices(holder, key))


def _divided(layer: str, kernel: CountedMatrix, sizes: Mapping[str, MatrixSize]) -> Iterator[CountedMatrix]:
    """The engine's matrices that a kernel becomes; the first carries its scales, its codebook and the biases."""
    parts = np.split(kernel.codes, np.cumsum([size.rows for size in sizes.values()])[:-1])
    for number, (codes, (name, size)) in enumerate(zip(parts, sizes.items(), strict=True)):
        part = replace(kernel, name=f"{layer}/{name}", codes=codes, places=size.places)
        yield replace(part, numbers=0, biases=0) if number else part


def _matrix(name: str, weights: Any, quantizer: Any, biases: int) -> CountedMatrix:
    """The codes of (inputs, outputs) weights under a quantizer of any kind, or None."""
    if quantizer is None:
        return CountedMatrix(name, (weights.T != 0).astype(np.int64), FLOAT_BITS, biases=biases)
    if tells_codes(quantizer):
        return _of_codes(name, weights, quantizer, biases)
    # A QKeras quantizer does not give its codes: they are numbered from the distinct ratios of values to scales.
    stock = STOCK.get(type(quantizer).__name__, _of_bits)(quantizer)
    values = np.asarray(quantizer(weights), dtype=np.float64)
    scale = np.asarray(getattr(quantizer, "scale", 1.0), dtype=np.float64)
    ratio = values / np.where(scale > 0, scale, 1.0)
    levels = np.union1d(np.round(ratio, 6), [0.0])
    if len(levels) > stock.levels:
        raise UnsupportedError(
            f"{name}: {quantizer} gives {len(levels)} levels per scale, but its {stock.code_bits} bits allow "
            f"{stock.levels}: use a quantizer with one scale per tensor or per output"
        )
    codes = np.searchsorted(levels, np.round(ratio, 6)) - int(np.searchsorted(levels, 0.0))
    return CountedMatrix(name, codes.T, stock.code_bits, stock.signs, numbers=int(scale.size), biases=biases)


def _of_codes(name: str, weights: Any, quantizer: Any, biases: int) -> CountedMatrix:
    """The codes of weights whose quantizer gives them; a codebook may be wider than the engine supports."""
    codes, scale, _ = quantizer.codes_and_scale(weights)
    kind = WEIGHT_KINDS.get(quantizer.kind)
    signs = kind is not None and not kind.holds_zero
    bits = 1 if signs else int(quantizer.bits)
    numbers = _scales(np.broadcast_to(scale, (2, weights.shape[1])))
    numbers += (1 << bits) if isinstance(quantizer, TellsCodebook) else 0
    return CountedMatrix(name, codes.T, bits, signs, numbers=numbers, biases=biases)


@dataclass(frozen=True)
class _Stock:
    """Codes of a QKeras quantizer.

    Attributes:
        code_bits: width of a stored code, bits.
        levels: largest number of levels per scale, zero included.
        signs: whether a stored code is only a sign.
    """

    code_bits: int
    levels: int
    signs: bool = False


def _of_bits(quantizer: Any) -> _Stock:
    return _Stock(int(quantizer.bits), 1 << int(quantizer.bits))


def _ternary(_quantizer: Any) -> _Stock:
    return _Stock(1, 3, signs=True)


STOCK: dict[str, Callable[[Any], _Stock]] = {"ternary": _ternary, "stochastic_ternary": _ternary}
"""QKeras quantizers, by the name of their class, whose codes do not follow from their attribute `bits`."""


def of_folder(folder: Path) -> tuple[list[CountedMatrix], int, int]:
    """Matrices of a design folder's golden model.

    Returns:
        The matrices, the number of PEs of the design, and the width of its relative index, bits.

    Raises:
        MissingError: if the folder or one of its files does not exist.
        FormatError: if a file does not have its format.
        MismatchError: if a file is not the one that the folder's manifest describes.
    """
    opened = Folder.open(folder)
    design = opened.manifest.design
    matrices = []
    chains = golden_file.load(opened.file(GOLDEN)).chains
    for layer in (layer for chain in chains for layer in chain.network.layers):
        others = layer.bias.size
        if isinstance(layer, Lstm) and layer.peepholes is not None:
            others += layer.peepholes.size
        for part, matrix in layer.matrices().items():
            biases = others if part == "kernel" else 0
            matrices.append(_of_matrix(f"{layer.name}/{kernel_name(part)}", matrix, layer.places(part), biases))
    return matrices, design.pes, design.gap_bits


def _of_matrix(name: str, matrix: Matrix, places: tuple[int, ...], biases: int) -> CountedMatrix:
    """The codes of a matrix of the golden model."""
    numbers = _scales(matrix.scale) + (0 if matrix.codebook is None else matrix.codebook.size)
    kind = WEIGHT_KINDS[matrix.kind]
    return CountedMatrix(name, matrix.codes, kind.code_bits, not kind.holds_zero, places, numbers, biases)


def _scales(pair: Any) -> int:
    """Number of scales, out of (2, rows) for positive and negative codes, that must be stored.

    Rows with equal scales share one, and so do the two signs if they have the same scales.
    """
    signs = pair if (pair[0] != pair[1]).any() else pair[:1]
    return sum(1 if (row == row[0]).all() else row.size for row in signs)
