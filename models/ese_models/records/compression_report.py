"""What a network takes to store, exactly: the columns of Deep Compression's tables 4 and 5 (1510.00149).

Every matrix is stored as the engine's image stores it: relative index per PE, padding entries counted, codes of the
quantizer. With Huffman coding both streams have a code of their own, whose table is counted as in the image's stored
form (5 bits a symbol). Codebooks and scales count 16 bits a number, biases and peepholes too; what is compared with are
32-bit floats, one for each weight and bias.
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
GAP_BITS = range(2, 13)
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CountedMatrix:
    """A weight matrix as codes.

    Attributes:
        name: layer and kernel.
        codes: (rows, columns), outputs first; 0 is no weight, else any integer below 2**code_bits in size.
        code_bits: of a stored code; 32 for floats, which have no Huffman code.
        ternary: whether padding is an index without a code, as for ternary weights.
        group: rows of one item: 4 for an LSTM's gates, else 1.
        numbers: scales and levels that come with it. biases: and biases.
    """

    name: str
    codes: Codes
    code_bits: int
    ternary: bool = False
    group: int = 1
    numbers: int = 0
    biases: int = 0

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or not self.codes.size or len(self.codes) % self.group:
            raise FormatError(
                f"{self.name}: codes have shape {self.codes.shape}; a matrix with rows in groups of {self.group}"
            )

    @property
    def kind(self) -> WeightKind:
        """A kind with the same padding."""
        return "ternary" if self.ternary else "int4"


@dataclass(frozen=True)
class StorageSize:
    """Bits of one matrix, or of a whole network.

    Attributes:
        name: of the matrix. weights: all of them. biases: of its layer. kept: those that are not zero.
        entries: stored ones, padding included. gap_bits: of an index; 0 for a sum over several.
        code_stream, index_stream: bits of the two streams, pruned and quantized (P+Q).
        code_huffman, index_huffman: the same with Huffman codes (P+Q+H), their tables not counted.
        tables: bits of the Huffman tables. numbers: bits of scales, levels and biases.
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
        """Bits of 32-bit floats."""
        return FLOAT_BITS * (self.weights + self.biases)

    @property
    def quantized(self) -> int:
        """Bits after pruning and quantization."""
        return self.code_stream + self.index_stream + self.numbers

    @property
    def coded(self) -> int:
        """Bits after Huffman coding."""
        return self.code_huffman + self.index_huffman + self.tables + self.numbers

    def columns(self) -> dict[str, float]:
        """The columns of the paper's tables: shares in percent, bits an entry, and original over compressed."""
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
        """All fields and columns."""
        return {**asdict(self), "padding": self.entries - self.kept, **self.columns()}


def huffman_bits(symbols: Codes) -> int:
    """Bits of a stream with the best prefix code of its own symbols; one bit each where there is but one.

    >>> huffman_bits(np.array([7, 7, 7, 7, 1, 2]))
    8
    """
    values, counts = np.unique(symbols, return_counts=True)
    if not len(values):
        return 0
    times = Counter(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return sum(len(code) * times[value] for value, code in huffman_code(times).items())


def streams(matrix: CountedMatrix, pes: int, gap_bits: int) -> tuple[Codes, Codes]:
    """Gaps and codes of all entries of all PEs, padding included."""
    found = entries(matrix.codes, Interleave(len(matrix.codes), pes, matrix.group), matrix.kind, gap_bits)
    return np.concatenate([own.gaps for own in found]), np.concatenate([own.values for own in found])


def size_of(matrix: CountedMatrix, pes: int = 1, gap_bits: int | None = None) -> StorageSize:
    """Exact size of a matrix.

    Args:
        matrix: codes.
        pes: PEs over which its rows are interleaved; 1 is the plain order of Deep Compression.
        gap_bits: of an index; the cheapest before Huffman coding where none is given.
    """
    if gap_bits is None:
        cost = {bits: len(streams(matrix, pes, bits)[0]) * (bits + matrix.code_bits) for bits in GAP_BITS}
        gap_bits = min(cost, key=lambda bits: cost[bits])
    gaps, codes = streams(matrix, pes, gap_bits)
    if matrix.ternary:
        codes = (codes < 0).astype(np.int64)
    plain = matrix.code_bits == FLOAT_BITS
    alphabet = 0 if plain else 1 << matrix.code_bits
    return StorageSize(
        name=matrix.name,
        weights=matrix.codes.size,
        biases=matrix.biases,
        kept=int(np.count_nonzero(matrix.codes)),
        entries=len(gaps),
        gap_bits=gap_bits,
        code_stream=len(codes) * matrix.code_bits,
        index_stream=len(gaps) * gap_bits,
        code_huffman=len(codes) * matrix.code_bits if plain else huffman_bits(codes),
        index_huffman=huffman_bits(gaps),
        tables=LENGTH_BITS * ((1 << gap_bits) + alphabet),
        numbers=NUMBER_BITS * (matrix.numbers + matrix.biases),
    )


def total(sizes: Sequence[StorageSize]) -> StorageSize:
    """The sum of several sizes, under the name total."""
    fields = [name for name in StorageSize.__dataclass_fields__ if name not in ("name", "gap_bits")]
    return StorageSize(
        name="total", gap_bits=0, **{name: sum(getattr(size, name) for size in sizes) for name in fields}
    )


def report(matrices: Iterable[CountedMatrix], pes: int = 1, gap_bits: int | None = None) -> list[StorageSize]:
    """Sizes of all matrices and, last, their total."""
    sizes = [size_of(matrix, pes, gap_bits) for matrix in matrices]
    return [*sizes, total(sizes)]
