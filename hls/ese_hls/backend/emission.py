"""Emission of a project from a .keras file."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from ese_hls.frontend import load_model
from ese_hls.lower import Conversion, ConversionOptions
from ese_hls.project import ATTACHMENTS, DESCRIPTION, Project
from ese_host.bundle import provenance
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


def emit(model_path: Path, out: Path, options: ConversionOptions | None = None) -> tuple[Project, Conversion]:
    """Convert a saved model through hls4ml with backend ESE, and emit its project.

    The files `<stem>.provenance.json` and `<stem>.testset.npz` beside the model are copied into the project.

    Args:
        model_path: path of the .keras file.
        out: folder of the project; an earlier project there is replaced.
        options: options of the conversion; the defaults of `ConversionOptions` if None.

    Returns:
        The project and the conversion.

    Raises:
        EseError: if the model cannot be read or converted, or `out` holds anything but a project.
    """
    options = options or ConversionOptions()
    check_target(out, DESCRIPTION)
    model = load_model(model_path)
    beside = {name: model_path.with_name(f"{model_path.stem}.{name}") for name in ATTACHMENTS}
    with contextlib.redirect_stdout(sys.stderr):
        graph = hls4ml.converters.convert_from_keras_model(
            model,
            backend="ESE",
            output_dir=str(out),
            board=options.board,
            files={name: path for name, path in beside.items() if path.is_file()},
            hls_config={"Model": options.to_model_config()},
        )
        graph.write()
    conversion: Conversion = graph.ese_conversion
    return Project.open(out), conversion
