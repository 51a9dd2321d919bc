"""Emission of a project from a .keras file."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

from ese_hls.frontend import load_model
from ese_hls.lower import Conversion, ConversionOptions
from ese_hls.project import DESCRIPTION, Project
from ese_host.bundle import PROVENANCE, TESTSET, provenance
from ese_host.errors import FormatError
from ese_host.files import check_target

with contextlib.redirect_stdout(sys.stderr):  # hls4ml prints even on import; keep standard output for the caller
    import hls4ml


def masks_of(model_path: Path) -> dict[str, int]:
    """PEs ("pes") and gap bits ("gap_bits") that the masks of a saved model were made for.

    A value that the provenance file beside the model does not hold is left out.
    """
    values: dict[str, int] = {}
    for name in ("pes", "gap_bits"):
        with contextlib.suppress(OSError, FormatError):
            value = getattr(provenance.read_record(provenance.beside(model_path), name), name)
            values |= {} if value is None else {name: value}
    return values


def emit(
    model_path: Path,
    out: Path,
    options: ConversionOptions | None = None,
    *,
    test: Path | None = None,
    self_check: int | None = None,
    **arguments: Any,
) -> tuple[Project, Conversion]:
    """Convert a saved model through hls4ml with backend ESE, and emit its project.

    The files `<stem>.provenance.json` and `<stem>.testset.npz` beside the model are copied into the project; `test`
    takes the place of the second.

    Args:
        model_path: path of the .keras file.
        out: folder of the project; an earlier project there is replaced.
        options: options of the conversion; the defaults of `ConversionOptions` if None.
        test: an .npz file of samples and labels for the test set.
        self_check: number of samples that the self-check runs; its default if None.
        arguments: `strict`, `calibration`, `classes` and `scaling` of `ESEBackend.create_initial_config`.

    Returns:
        The project and the conversion.

    Raises:
        EseError: if the model cannot be read or converted, or `out` holds anything but a project.
    """
    options = options or ConversionOptions()
    check_target(out, DESCRIPTION)
    model = load_model(model_path)
    names = [PROVENANCE] if test is not None else [PROVENANCE, TESTSET]
    beside = {name: model_path.with_name(f"{model_path.stem}.{name}") for name in names}
    keys = options.to_model_config() | ({} if self_check is None else {"SelfCheck": self_check})
    with contextlib.redirect_stdout(sys.stderr):
        graph = hls4ml.converters.convert_from_keras_model(
            model,
            backend="ESE",
            output_dir=str(out),
            board=options.board,
            files={name: path for name, path in beside.items() if path.is_file()},
            hls_config={"Model": keys},
            test=test,
            **arguments,
        )
        graph.write()
    conversion: Conversion = graph.ese_conversion
    return Project.open(out), conversion
