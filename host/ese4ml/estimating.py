# SPDX-License-Identifier: Apache-2.0
"""`ese4ml.estimate`: cycles, resources and energy of a model or a design folder on a board, before synthesis."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ese_host.boards import load_board
from ese_host.bundle import NAME, Folder, description
from ese_host.estimate import estimate_encoded, most_units, read_folder


def estimate(
    what: Any,
    *,
    board: str | None = None,
    engine: Literal["hls", "rtl"] = "hls",
    clock_mhz: int | None = None,
    steps: int = 1,
    **options: Any,
) -> dict[str, Any]:
    """Estimate time, resources and energy of a network on a board, as `ese4ml estimate` does.

    Args:
        what: a design folder, an emitted project, or a Keras or QKeras model or its .keras file, which is emitted into
            a temporary folder first (that needs the extra `hls`).
        board: name of the board; by default that of the folder, or pynq-z2 for a model.
        engine: the engine in HLS or in RTL.
        clock_mhz: clock in MHz; by default that of the design.
        steps: frames of the sequence whose cycles are given besides those of a step in the steady state.
        options: for a model, fields of `ConversionOptions`: pes, gap_bits, window ...

    Returns:
        Plain values, as `ese4ml estimate --json` prints them; all are modelled.

    Raises:
        UnsupportedError: if the engine cannot run the model, or it is a program of more than one chain.
        EseError: if a file is not sound.
    """
    if isinstance(what, Folder):
        return _of_folder(what.path, board, engine, clock_mhz, steps)
    if isinstance(what, (str, Path)) and any((Path(what) / name).is_file() for name in (NAME, description.NAME)):
        return _of_folder(Path(what), board, engine, clock_mhz, steps)
    from ese_hls.backend import emit

    if engine == "rtl":
        options.setdefault("cells_per_cycle", most_units(engine, options.get("window") or 0))
    with tempfile.TemporaryDirectory(prefix="ese4ml-estimate-") as name:
        emit(what, Path(name) / "project", {"board": board or "pynq-z2", **options})
        found = _of_folder(Path(name) / "project", board, engine, clock_mhz, steps)
        return {**found, "subject": getattr(what, "name", None) or Path(str(what)).name}


def _of_folder(
    folder: Path, board: str | None, engine: Literal["hls", "rtl"], clock_mhz: int | None, steps: int
) -> dict[str, Any]:
    """The estimate of an encoded network."""
    encoded = read_folder(folder)
    design = encoded.design if clock_mhz is None else replace(encoded.design, clock_mhz=clock_mhz)
    return estimate_encoded(encoded, design, load_board(board or encoded.board), steps, engine)
