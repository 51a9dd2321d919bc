# SPDX-License-Identifier: Apache-2.0
"""Figures of a cell's network: metrics of a split, storage, load of each kernel; and its log-posteriors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.study.cell import StudyCell
from benchmarks.study.store import Record
from ese_host.decoding import Decoder
from ese_models.data import Dataset, Split
from ese_models.decoding import error_of, log_outputs
from ese_models.masking import by_matrix, gap_bits_of, interleaves, kind_of, matrix_loads, stored_codes
from ese_models.records import compression_report, of_model
from ese_models.training import Task

Floats = npt.NDArray[np.float32]


def measured(task: Task, probabilities: Floats, split: Split, decoder: Decoder | None) -> Record:
    """Metrics by name and counts for each sample of a split, also those of a decoder if there is one.

    Args:
        task: the task.
        probabilities: that the network gives for the split.
        split: the split.
        decoder: of the network; None for none.
    """
    metrics, samples = task.measure(probabilities, split), task.samples(probabilities, split)
    if decoder is not None:
        errors, phones = error_of(decoder, probabilities, split)
        metrics |= {"viterbi_phone_error_rate": sum(errors) / max(1, sum(phones))}
        samples |= {"viterbi_errors": errors}
    return {"metrics": metrics, "samples": samples}


def save_posteriors(path: Path, data: Dataset, probabilities: dict[str, Floats]) -> None:
    """Write the logarithms of a network's probabilities, by which it can be decoded later without being run again.

    Args:
        path: an .npz archive: for each split the float16 logarithms, (utterances, steps, classes), and the lengths.
        data: data set.
        probabilities: of each split.
    """
    arrays = {name: log_outputs(values).astype(np.float16) for name, values in probabilities.items()}
    lengths = {f"{name}_lengths": data.splits[name].lengths for name in probabilities}
    np.savez_compressed(path, **arrays, **lengths)


def stored(model: Any) -> Record:
    """Exact size of a network as 32-bit floats, and its compression rates after the stages of Deep Compression.

    Weights are one stream in the paper's order; each kernel's index has the width that costs least.
    """
    size = compression_report.report(of_model(model))[-1]
    return {
        "original_bits": size.original,
        "rate_quantized": size.columns()["P+Q x"],
        "rate_huffman": size.columns()["P+Q+H x"],
    }


def loads(model: Any, cell: StudyCell) -> Record:
    """Load of each kernel and of the network, counted on the codes as the engine counts them, padding included."""
    if cell.family == "none" or cell.stage == "dsd":
        return {}
    pes = int(cell.option("pes", 8))
    codes, rows = stored_codes(model), interleaves(model, pes)
    kind = kind_of(cell.weights)  # type: ignore[arg-type]
    gap_bits = int(cell.option("gap_bits", gap_bits_of(rows, kind)))
    masks = {name: array != 0 for name, array in codes.items()}
    kernel_loads = matrix_loads(codes, masks, rows, dict.fromkeys(codes, kind), gap_bits)
    sizes = {name: array.size for name, array in by_matrix(codes, rows).items()}
    entries = np.sum([item.entries_per_pe for item in kernel_loads.values()], axis=0)
    weights = sum(int((array != 0).sum()) for array in codes.values())
    total = sum(array.size for array in codes.values())
    return {
        "pes": pes,
        "gap_bits": gap_bits,
        "weights": total,
        "density": weights / total,
        "imbalance": float(entries.max() / entries.mean()),
        "worst_kernel_imbalance": max(item.imbalance for item in kernel_loads.values()),
        "padding": sum(item.padding for item in kernel_loads.values()) / max(1, weights),
        "kernels": {name: {"size": sizes[name], **item.to_json()} for name, item in kernel_loads.items()},
    }
