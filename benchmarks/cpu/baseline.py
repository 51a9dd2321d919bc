# SPDX-License-Identifier: Apache-2.0
"""CPU baseline: dense and sparse matrix-vector products of EIE's and ESE's layers, batch 1, float32.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.cpu.baseline [--board pynq-z2]

It runs on a board's ARM as well: it needs NumPy and this project (Python 3.10); SciPy's CSR is measured if SciPy is
installed. The machine's figures join those of other machines in cpu-baseline.json; cpu-baseline.md shows them
beside the modelled figures of the engine.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

THREADS = {name: os.environ.setdefault(name, "1") for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

import numpy as np  # noqa: E402 - NumPy reads the thread counts when it is imported
import numpy.typing as npt  # noqa: E402

from benchmarks.cpu import page  # noqa: E402
from benchmarks.machines.layers import EIE_LAYERS  # noqa: E402
from benchmarks.page import write  # noqa: E402

try:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped,unused-ignore]
except ImportError:
    csr_matrix = None

Floats = npt.NDArray[np.float32]
Product = Callable[[], object]
ROOT = Path(__file__).resolve().parents[2]
WARM_UP, LONGEST_S = 3, 4.0
PRODUCTS = ("dense", "csr_scipy", "csr_numpy")
ESE_DENSITY, ESE_MATRICES = 0.1, ((4096, 153), (4096, 512), (512, 1024))


@dataclass(frozen=True, eq=False)
class Csr:
    """A sparse matrix in compressed sparse rows.

    Attributes:
        shape: rows and columns.
        data: (nonzeros,) values, row by row.
        indices: (nonzeros,) their columns.
        indptr: (rows + 1,) place of each row's first value.
        filled: rows that hold a value; `reduceat` cannot sum empty rows.
    """

    shape: tuple[int, int]
    data: Floats
    indices: npt.NDArray[np.int32]
    indptr: npt.NDArray[np.int32]
    filled: npt.NDArray[np.int64]

    def dense(self) -> Floats:
        """The matrix as a dense array."""
        full = np.zeros(self.shape, dtype=np.float32)
        full[np.repeat(np.arange(self.shape[0]), np.diff(self.indptr)), self.indices] = self.data
        return full

    def __matmul__(self, x: Floats) -> Floats:
        y = np.zeros(self.shape[0], dtype=np.float32)
        if len(self.filled):
            y[self.filled] = np.add.reduceat(self.data * x[self.indices], self.indptr[self.filled])
        return y


def random_csr(rows: int, columns: int, density: float, rng: np.random.Generator) -> Csr:
    """A random sparse matrix. It is made in slices, so that memory stays close to that of the result.

    Args:
        rows: rows of the matrix.
        columns: columns of the matrix.
        density: probability of each weight to be kept, independently of the others.
        rng: source of random numbers.
    """
    indices, row_counts = [], []
    for first in range(0, rows, 256):
        kept = rng.random((min(256, rows - first), columns), dtype=np.float32) < density
        indices.append(np.nonzero(kept)[1].astype(np.int32))
        row_counts.append(kept.sum(axis=1))
    nonzeros = np.concatenate(row_counts)
    all_indices = np.concatenate(indices)
    indptr = np.concatenate(([0], np.cumsum(nonzeros))).astype(np.int32)
    data = rng.standard_normal(len(all_indices), dtype=np.float32)
    return Csr((rows, columns), data, all_indices, indptr, np.flatnonzero(nonzeros))


def measure(product: Product, repeats: int) -> dict[str, float]:
    """Milliseconds of a product after warm-up: median and best by the wall clock, median of the process's CPU time."""
    for _ in range(WARM_UP):
        product()
    wall: list[float] = []
    busy: list[float] = []
    start = time.perf_counter()
    while len(wall) < repeats and (len(wall) < 5 or time.perf_counter() - start < LONGEST_S):
        before, busy_before = time.perf_counter(), time.process_time()
        product()
        wall.append(1e3 * (time.perf_counter() - before))
        busy.append(1e3 * (time.process_time() - busy_before))
    return {
        "median_ms": statistics.median(wall),
        "best_ms": min(wall),
        "cpu_median_ms": statistics.median(busy),
        "repeats": len(wall),
    }


def baseline(shapes: tuple[tuple[int, int], ...], density: float, activation: float, repeats: int, seed: int) -> Any:
    """Times of all products of one layer, by each method; their results are checked against each other.

    Args:
        shapes: (outputs, inputs) of each matrix; all of them together are one measurement.
        density: share of non-zero weights.
        activation: share of non-zero inputs.
        repeats: most measurements of each method.
        seed: of weights and inputs.
    """
    rng = np.random.default_rng(seed)
    matrices = [random_csr(rows, columns, density, rng) for rows, columns in shapes]
    vectors = [rng.standard_normal(n, dtype=np.float32) * (rng.random(n) < activation) for _, n in shapes]
    vectors = [x.astype(np.float32) for x in vectors]
    weights = sum(rows * columns for rows, columns in shapes)
    record: dict[str, Any] = {
        "weights": weights,
        "nonzeros": sum(len(m.data) for m in matrices),
        "rows": sum(rows for rows, _ in shapes),
    }
    expected = multiply(matrices, vectors)
    record["csr_numpy"] = measure(lambda: multiply(matrices, vectors), repeats)
    others: dict[str, Callable[[], Sequence[Any]]] = {}
    if csr_matrix is not None:
        others["csr_scipy"] = lambda: [csr_matrix((m.data, m.indices, m.indptr), shape=m.shape) for m in matrices]
    if 5 * weights <= available_bytes():
        others["dense"] = lambda: [m.dense() for m in matrices]
    for name, make in others.items():
        converted = make()
        record[name] = measure(functools.partial(multiply, converted, vectors), repeats)
        for product, reference in zip(multiply(converted, vectors), expected, strict=True):
            np.testing.assert_allclose(product, reference, rtol=1e-3, atol=1e-3)
    return record


def one_round(repeats: int, seed: int) -> dict[str, Any]:
    """One measurement of every layer, by the layer's name."""
    records = {}
    for layer in EIE_LAYERS:
        shapes = ((layer.outputs, layer.inputs),)
        records[layer.name] = baseline(shapes, layer.weight_density, layer.activation_density, repeats, seed)
    records["ESE LSTM"] = baseline(ESE_MATRICES, ESE_DENSITY, 1.0, repeats, seed)
    print("load average", round(os.getloadavg()[0], 2), flush=True)
    return records


def quietest(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Each product's round with the lowest median, which other work slowed least, and the best time of all rounds."""
    merged = dict(rounds[0])
    for name in PRODUCTS:
        timings = [one[name] for one in rounds if name in one]
        if timings:
            best = min(timing["best_ms"] for timing in timings)
            merged[name] = {**min(timings, key=lambda timing: timing["median_ms"]), "best_ms": best}
    return merged


def multiply(matrices: Sequence[Any], vectors: Sequence[Floats]) -> list[Floats]:
    """Products of a layer's matrices with its input vectors."""
    return [matrix @ x for matrix, x in zip(matrices, vectors, strict=True)]


def available_bytes() -> int:
    """Free memory in bytes; 2**62 if it is unknown."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable"):
            return 1024 * int(line.split()[1])
    return 1 << 62


def machine() -> dict[str, Any]:
    """Description of this machine for the record."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.lower().startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    tree = Path("/proc/device-tree/model")
    board = tree.read_text(encoding="utf-8").strip("\0\n ") if tree.is_file() else ""
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    if csr_matrix is not None:
        import scipy  # type: ignore[import-untyped,unused-ignore]

        versions["scipy"] = scipy.__version__
    return {
        "cpu": " ".join(filter(None, (board, model))),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": THREADS["OPENBLAS_NUM_THREADS"],
        "load_before": round(os.getloadavg()[0], 2),
        "versions": versions,
    }


def main() -> None:
    """Measure this machine, and write the record and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repeats", type=int, default=51, help=f"most repeats of each product, in at most {LONGEST_S:g} s (default 51)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds over all layers; the quietest counts for each product (default 3)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random weights and inputs (default 0)")
    parser.add_argument(
        "--board", default="pynq-z2", help="board whose clock and memory the engine's figures are for (default pynq-z2)"
    )
    results = ROOT / "docs" / "results"
    parser.add_argument(
        "--json",
        type=Path,
        default=results / "cpu-baseline.json",
        help="record to add to (default docs/results/cpu-baseline.json)",
    )
    parser.add_argument(
        "--page", type=Path, default=results / "cpu-baseline.md", help="page to write (default cpu-baseline.md)"
    )
    parser.add_argument("--page-only", action="store_true", help="measure nothing; write the page from the record")
    args = parser.parse_args()
    known = json.loads(args.json.read_text(encoding="utf-8")) if args.json.is_file() else {"machines": []}
    if not args.page_only:
        record = {**machine(), "seed": args.seed, "rounds": args.rounds}
        layers = [one_round(args.repeats, args.seed) for _ in range(args.rounds)]
        record["layers"] = {name: quietest([records[name] for records in layers]) for name in layers[0]}
        record["load_after"] = round(os.getloadavg()[0], 2)
        same = (record["cpu"], record["threads"])
        known["machines"] = [m for m in known["machines"] if (m["cpu"], m["threads"]) != same] + [record]
    known["engine"] = page.engine_figures(args.board, args.seed)
    args.json.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    write(args.page, page.render(known))
    print(args.json, args.page)


if __name__ == "__main__":
    main()
