# SPDX-License-Identifier: Apache-2.0
"""Exact storage size of a network, in the columns of Deep Compression's tables 4 and 5 (1510.00149).

Every matrix is counted as the engine's image stores it: a relative index per PE, padding entries included, and the
codes of the quantizer. With Huffman coding, the codes and the indices each have a Huffman code, and its table counts
5 bits per symbol, as in the image's stored form. A number of a codebook, a scale, a bias or a peephole counts 16 bits.
The sizes are compared with 32-bit floats for all weights and biases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from bitarray.util import huffman_code

from ese_host.errors import FormatError
from ese_host.image import Interleave, entries
from ese_host.ir import WeightKind

FLOAT_BITS, NUMBER_BITS, LENGTH_BITS = 32, 16, 5
"""Bits of an original weight, of a number beside the codes, and of a code length in a Huffman table."""
GAP_BITS = range(2, 13)
"""Widths of the relative index among which the cheapest is chosen."""
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CountedMatrix:
    """A weight matrix in codes, and the numbers that are stored with it.

    Attributes:
        name: of the layer and the kernel.
        codes: (rows, columns), outputs first; 0 for pruned weights, otherwise an integer below 2**code_bits in size.
        code_bits: width of a stored code, bits; 32 for floats, which are not Huffman-coded.
        ternary: whether the matrix is stored like ternary weights, in which a padding entry has no code.
        places: rows of an item's sums to which its blocks of rows add (`ese_host.image.interleave`).
        numbers: scales and codebook levels that are stored with it.
        biases: biases and peepholes that are stored with it.

    Raises:
        FormatError: if the codes are not a matrix, or its rows do not divide into blocks.
    """

    name: str
    codes: Codes
    code_bits: int
    ternary: bool = False
    places: tuple[int, ...] = (0,)
    numbers: int = 0
    biases: int = 0

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or not self.codes.size or len(self.codes) % len(self.places):
            raise FormatError(
                f"{self.name}: codes have shape {self.codes.shape}; a matrix whose rows are a multiple of "
                f"{len(self.places)} is expected"
            )

    @property
    def kind(self) -> WeightKind:
        """A weight code of the engine that needs the same padding."""
        return "ternary" if self.ternary else "int4"


@dataclass(frozen=True)
class StorageSize:
    """Storage size of one matrix or of a whole network, pruned and quantized (P+Q) and also Huffman-coded (P+Q+H).

    Attributes:
        name: of the matrix.
        weights: number of weights, pruned ones included.
        biases: number of biases and peepholes.
        kept: number of weights that are not zero.
        entries: number of stored entries, padding included.
        gap_bits: width of the relative index, bits; 0 for a sum of several matrices.
        code_stream: bits of all codes, P+Q.
        index_stream: bits of all relative indices, P+Q.
        code_huffman: bits of all codes, P+Q+H, the Huffman table not included.
        index_huffman: bits of all relative indices, P+Q+H, the Huffman table not included.
        tables: bits of the Huffman tables.
        numbers: bits of scales, codebook levels, biases and peepholes.
    """

    name: str
    weights: int
    biases: int
    kept: int
    entries: int
    gap_bits: int
    code_stream: int
    index_stream: int
    code_huffman: int
    index_huffman: int
    tables: int
    numbers: int

    @property
    def original(self) -> int:
        """Bits of the weights and biases as 32-bit floats."""
        return FLOAT_BITS * (self.weights + self.biases)

    @property
    def quantized(self) -> int:
        """Bits after pruning and quantization (P+Q)."""
        return self.code_stream + self.index_stream + self.numbers

    @property
    def coded(self) -> int:
        """Bits after Huffman coding (P+Q+H)."""
        return self.code_huffman + self.index_huffman + self.tables + self.numbers

    def columns(self) -> dict[str, float]:
        """Columns of Deep Compression's tables by heading: shares in percent, bits per entry, compression factors."""
        entries = max(self.entries, 1)
        return {
            "kept %": 100 * self.kept / self.weights,
            "weight bits P+Q": self.code_stream / entries,
            "weight bits P+Q+H": self.code_huffman / entries,
            "index bits P+Q": self.index_stream / entries,
            "index bits P+Q+H": self.index_huffman / entries,
            "compress rate P+Q %": 100 * self.quantized / self.original,
            "compress rate P+Q+H %": 100 * self.coded / self.original,
            "P+Q x": self.original / self.quantized,
            "P+Q+H x": self.original / self.coded,
        }

    def to_json(self) -> dict[str, Any]:
        """All fields, the number of padding entries, and the columns, as plain values for JSON."""
        return {**asdict(self), "padding": self.entries - self.kept, **self.columns()}


def huffman_bits(symbols: Codes) -> int:
    """Bits of a stream of symbols under its Huffman code; 1 bit per symbol if all are equal.

    >>> huffman_bits(np.array([7, 7, 7, 7, 1, 2]))
    8
    """
    values, counts = np.unique(symbols, return_counts=True)
    if not len(values):
        return 0
    times = Counter(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return sum(len(code) * times[value] for value, code in huffman_code(times).items())


def streams(matrix: CountedMatrix, pes: int, gap_bits: int) -> tuple[Codes, Codes]:
    """Gaps and codes of the entries of all PEs, padding included.

    Args:
        matrix: in codes.
        pes: number of PEs over which its rows are interleaved.
        gap_bits: width of the relative index, bits.

    Returns:
        (entries,) gaps and (entries,) codes, PE by PE; a padding entry has code 0.
    """
    per_pe = entries(matrix.codes, Interleave(len(matrix.codes), pes, matrix.places), matrix.kind, gap_bits)
    return np.concatenate([stored.gaps for stored in per_pe]), np.concatenate([stored.values for stored in per_pe])


def size_of(matrix: CountedMatrix, pes: int = 1, gap_bits: int | None = None) -> StorageSize:
    """Exact storage size of a matrix.

    Args:
        matrix: in codes.
        pes: number of PEs over which its rows are interleaved; 1 as in Deep Compression.
        gap_bits: width of the relative index, bits; by default the one with the fewest bits before Huffman coding.
    """
    if gap_bits is None:
        cost = {bits: len(streams(matrix, pes, bits)[0]) * (bits + matrix.code_bits) for bits in GAP_BITS}
        gap_bits = min(cost, key=lambda bits: cost[bits])
    gaps, codes = streams(matrix, pes, gap_bits)
    if matrix.ternary:
        codes = (codes < 0).astype(np.int64)
    is_float = matrix.code_bits == FLOAT_BITS
    alphabet = 0 if is_float else 1 << matrix.code_bits
    return StorageSize(
        name=matrix.name,
        weights=matrix.codes.size,
        biases=matrix.biases,
        kept=int(np.count_nonzero(matrix.codes)),
        entries=len(gaps),
        gap_bits=gap_bits,
        code_stream=len(codes) * matrix.code_bits,
        index_stream=len(gaps) * gap_bits,
        code_huffman=len(codes) * matrix.code_bits if is_float else huffman_bits(codes),
        index_huffman=huffman_bits(gaps),
        tables=LENGTH_BITS * ((1 << gap_bits) + alphabet),
        numbers=NUMBER_BITS * (matrix.numbers + matrix.biases),
    )


def total(sizes: Sequence[StorageSize]) -> StorageSize:
    """Sum of several sizes, named "total"."""
    fields = [name for name in StorageSize.__dataclass_fields__ if name not in ("name", "gap_bits")]
    return StorageSize(
        name="total", gap_bits=0, **{name: sum(getattr(size, name) for size in sizes) for name in fields}
    )


def report(matrices: Iterable[CountedMatrix], pes: int = 1, gap_bits: int | None = None) -> list[StorageSize]:
    """Sizes of all matrices, and their total as the last one.

    Args:
        matrices: in codes.
        pes: number of PEs over which the rows are interleaved; 1 as in Deep Compression.
        gap_bits: width of the relative index, bits; by default the cheapest of each matrix.
    """
    sizes = [size_of(matrix, pes, gap_bits) for matrix in matrices]
    return [*sizes, total(sizes)]
