# SPDX-License-Identifier: Apache-2.0
"""Copies of a cell's small files, which are kept with the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import ZIP_LZMA, ZipFile

import numpy as np

from benchmarks.study.cell import StudyCell
from benchmarks.study.store import Store
from ese_host.errors import MismatchError
from ese_host.files import write_file
from ese_models.networks import kernels, load, weight_quantizers
from ese_models.records.provenance import decoder_path


def keep(cell: StudyCell, store: Store, kept: Store) -> list[Path]:
    """Copy what is small of a finished cell: record, decoder and, if it is quantized, the network, a zip file.

    The kernels of the network that is kept are the values of their codes, not what training left of them.

    Args:
        cell: a finished cell.
        store: the store of the results.
        kept: the store of the copies.

    Returns:
        The files written.

    Raises:
        MismatchError: if the codes of a kernel are not those of their values.
    """
    paths = [(store.json_path(cell), kept.json_path(cell))]
    paths += [(decoder_path(store.model_path(cell)), decoder_path(kept.model_path(cell)))]
    written = []
    for path, copy in paths:
        if path.is_file():
            write_file(copy, path.read_bytes())
            written.append(copy)
    if cell.stage != "quantized":
        return written
    model = load(store.model_path(cell))
    for name, quantizer in weight_quantizers(model).items():
        variable = kernels(model)[name]
        before = quantizer.codes_and_scale(variable)
        variable.assign(quantizer(variable))
        after = quantizer.codes_and_scale(variable)
        if not all(np.array_equal(old, new) for old, new in zip(before, after, strict=True)):
            raise MismatchError(f"{cell.key}: kernel {name!r} has other codes once its weights are their values")
    kept.place(kept.model_path(cell), lambda path: _save_small(model, path))
    return [*written, kept.model_path(cell)]


def _save_small(model: Any, path: Path) -> None:
    """Save a model with its parts compressed, which Keras leaves as they are."""
    model.save(path)
    with ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(path, "w", ZIP_LZMA) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
