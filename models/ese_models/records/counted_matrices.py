"""The matrices of a Keras model or of a design folder, as `ese_models.records.compression_report` counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ese_host.bundle import GOLDEN, Folder, golden_file
from ese_host.errors import UnsupportedError
from ese_host.ir import GATES, WEIGHT_KINDS, Lstm, Matrix, TellsCodebook, tells_codes
from ese_models.records.compression_report import FLOAT_BITS, CountedMatrix


def of_model(model: Any) -> list[CountedMatrix]:
    """Every kernel of every layer of a Keras model; nested layers (bidirectional, time-distributed) included.

    Raises:
        UnsupportedError: the model has no kernel, or a quantizer's values are not what its bits allow.
        FormatError: a weight is not finite.
    """
    found = [matrix for layer in model.layers for matrix in _of_layer(layer, layer.name)]
    if not found:
        names = ", ".join(type(layer).__name__ for layer in model.layers)
        raise UnsupportedError(f"the model has layers {names}, none of them with a kernel: there is nothing to store")
    return found


def _of_layer(layer: Any, name: str) -> Iterator[CountedMatrix]:
    inner = [(part, getattr(layer, part, None)) for part in ("forward_layer", "backward_layer", "layer")]
    if any(nested is not None for _, nested in inner):
        for part, nested in inner:
            if nested is not None:
                yield from _of_layer(nested, f"{name}/{part.removesuffix('_layer')}")
        return
    holder = getattr(layer, "cell", layer)
    own = {variable.path.split("/")[-1]: variable for variable in holder.weights}
    own = {key: variable for key, variable in own.items() if getattr(holder, key, None) is variable}
    kernels = {key: variable for key, variable in own.items() if key.endswith("kernel") and len(variable.shape) == 2}
    others = sum(int(np.prod(variable.shape)) for key, variable in own.items() if key not in kernels)
    for number, (key, variable) in enumerate(kernels.items()):
        quantizer = getattr(holder, f"{key.removesuffix('_kernel')}_quantizer_internal", None)
        gates = GATES if variable.shape[1] == GATES * getattr(holder, "units", 0) else 1
        weights = np.asarray(variable, dtype=np.float32)
        yield _matrix(f"{name}/{key}", weights, quantizer, gates, 0 if number else others)


def _matrix(name: str, weights: Any, quantizer: Any, group: int, biases: int) -> CountedMatrix:
    if quantizer is None:
        return CountedMatrix(name, (weights.T != 0).astype(np.int64), FLOAT_BITS, group=group, biases=biases)
    if tells_codes(quantizer):
        return _told(name, weights, quantizer, group, biases)
    stock = STOCK.get(type(quantizer).__name__, _of_bits)(quantizer)
    values = np.asarray(quantizer(weights), dtype=np.float64)
    scale = np.asarray(getattr(quantizer, "scale", 1.0), dtype=np.float64)
    ratio = values / np.where(scale > 0, scale, 1.0)
    levels = np.union1d(np.round(ratio, 6), [0.0])
    if len(levels) > stock.levels:
        raise UnsupportedError(
            f"{name}: {quantizer} gives {len(levels)} levels a scale; its {stock.code_bits} bits allow "
            f"{stock.levels}: use a quantizer with one scale a tensor or output"
        )
    codes = np.searchsorted(levels, np.round(ratio, 6)) - int(np.searchsorted(levels, 0.0))
    return CountedMatrix(name, codes.T, stock.code_bits, stock.signs, group, int(scale.size), biases)


def _told(name: str, weights: Any, quantizer: Any, group: int, biases: int) -> CountedMatrix:
    """Codes of a quantizer that tells them; of codebooks there are some wider than the engine's kinds."""
    codes, scale, _ = quantizer.codes_and_scale(weights)
    kind = WEIGHT_KINDS.get(quantizer.kind)
    signs = kind is not None and not kind.holds_zero
    bits = 1 if signs else int(quantizer.bits)
    numbers = _scales(np.broadcast_to(scale, (2, weights.shape[1])))
    numbers += (1 << bits) if isinstance(quantizer, TellsCodebook) else 0
    return CountedMatrix(name, codes.T, bits, signs, group, numbers, biases)


@dataclass(frozen=True)
class _Stock:
    """What a QKeras quantizer's codes take: bits, levels with zero at most, and whether they are signs alone."""

    code_bits: int
    levels: int
    signs: bool = False


def _of_bits(quantizer: Any) -> _Stock:
    return _Stock(int(quantizer.bits), 1 << int(quantizer.bits))


def _ternary(_quantizer: Any) -> _Stock:
    return _Stock(1, 3, signs=True)


STOCK: dict[str, Callable[[Any], _Stock]] = {"ternary": _ternary, "stochastic_ternary": _ternary}
"""QKeras's quantizers by the name of their class; all others are of their own `bits`."""


def of_folder(folder: Path) -> tuple[list[CountedMatrix], int, int]:
    """Matrices of a design folder's golden model, its PEs and its gap bits.

    Raises:
        MissingError, FormatError, MismatchError: the folder is not sound.
    """
    opened = Folder.open(folder)
    design = opened.manifest.design
    found = []
    chains = golden_file.load(opened.file(GOLDEN)).chains
    for layer in (layer for chain in chains for layer in chain.network.layers):
        others = layer.bias.size
        if isinstance(layer, Lstm) and layer.peepholes is not None:
            others += layer.peepholes.size
        for part, matrix in layer.matrices().items():
            name = part if part == "kernel" else f"{part}_kernel"  # as Keras names them
            biases = others if part == "kernel" else 0
            found.append(_of_matrix(f"{layer.name}/{name}", matrix, layer.group(part), biases))
    return found, design.pes, design.gap_bits


def _of_matrix(name: str, matrix: Matrix, group: int, biases: int) -> CountedMatrix:
    numbers = _scales(matrix.scale) + (0 if matrix.codebook is None else matrix.codebook.size)
    kind = WEIGHT_KINDS[matrix.kind]
    return CountedMatrix(name, matrix.codes, kind.code_bits, not kind.holds_zero, group, numbers, biases)


def _scales(pair: Any) -> int:
    """Scales of (2, rows) that must be stored: one where all are equal, for one sign where both have the same."""
    signs = pair if (pair[0] != pair[1]).any() else pair[:1]
    return sum(1 if (row == row[0]).all() else row.size for row in signs)
