# SPDX-License-Identifier: Apache-2.0
"""Emission of a project from a Keras model, or from a file of one."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ese_hls.frontend import load_model
from ese_hls.lower import Conversion, ConversionOptions, nearest
from ese_hls.project import DESCRIPTION, Project
from ese_host.bundle import DECODER, PROVENANCE, TESTSET, provenance
from ese_host.errors import FormatError, UnsupportedError
from ese_host.files import check_target

with contextlib.redirect_stdout(sys.stderr):  # hls4ml prints even on import; keep standard output for the caller
    import hls4ml

MASKED = ("pes", "gap_bits")
"""Options for which masks are made."""


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A Keras model, and the file that it was read from, if it was."""

    model: Any
    path: Path | None = None

    @classmethod
    def of(cls, given: Any) -> LoadedModel:
        """A Keras model as it is, or the one in a file.

        Args:
            given: the model, or the path of a .keras file.

        Raises:
            MissingError: if there is no such file, or a package that the model needs is not installed.
            FormatError: if the file is not a Keras model, or needs a class that no package registers.
        """
        if isinstance(given, (str, os.PathLike)):
            return cls(load_model(Path(given)), Path(given))
        return cls(given)

    def beside(self, *names: str) -> dict[str, Path]:
        """The files `<stem>.<name>` beside the model's file that are there, by name."""
        if self.path is None:
            return {}
        paths = {name: self.path.with_name(f"{self.path.stem}.{name}") for name in names}
        return {name: path for name, path in paths.items() if path.is_file()}

    def masked(self, *names: str) -> dict[str, int]:
        """The values of options that the masks of the model were made for.

        They stand in the constraints of its weights, or in the provenance file beside it. A value that neither holds is
        left out.

        Args:
            names: options of `MASKED`.

        Raises:
            UnsupportedError: if the constraints name different values.
        """
        recorded = {} if self.path is None else masks_of(self.path)
        values = {name: recorded[name] for name in names if name in recorded}
        constraints = [getattr(weight, "constraint", None) for weight in getattr(self.model, "weights", ())]
        for name in names:
            found = {value for item in constraints if (value := getattr(item, name, None)) is not None}
            if len(found) > 1:
                raise UnsupportedError(
                    f"the masks of the model were made for {' and '.join(map(str, sorted(found)))} {name}; one value "
                    f"is expected: prune all layers for the same, or give {name}"
                )
            if found:
                values[name] = int(found.pop())
        return values


def masks_of(model_path: Path) -> dict[str, int]:
    """PEs ("pes") and gap bits ("gap_bits") that the masks of a saved model were made for, by the file beside it.

    A value that the provenance file does not hold is left out.
    """
    values: dict[str, int] = {}
    for name in MASKED:
        with contextlib.suppress(OSError, FormatError):
            value = getattr(provenance.read_record(provenance.beside(model_path), name), name)
            values |= {} if value is None else {name: value}
    return values


def options_for(loaded: LoadedModel, given: Mapping[str, Any]) -> ConversionOptions:
    """Options of a conversion: those given, PEs and gap bits of the model's masks, and defaults.

    Args:
        loaded: the model.
        given: options by the names of the fields of `ConversionOptions`; None counts as not given.

    Raises:
        UnsupportedError: if there is no such option, or a value is not allowed, or the model's masks were made for
            several values of an option that is not given.
    """
    known = [field.name for field in fields(ConversionOptions)]
    unknown = [name for name in given if name not in known]
    if unknown:
        raise UnsupportedError(f"there is no option {unknown[0]!r}; {nearest(unknown[0], known)}")
    chosen = {name: value for name, value in given.items() if value is not None}
    masked = loaded.masked(*(name for name in MASKED if name not in chosen))
    return ConversionOptions(**{**masked, **chosen})


def emit(
    model: Any,
    out: str | Path,
    options: ConversionOptions | Mapping[str, Any] | None = None,
    *,
    test: Any = None,
    calibration: Any = None,
    classes: Any = None,
    scaling: Any = None,
) -> tuple[Project, Conversion]:
    """Convert a Keras model through hls4ml with backend ESE, and emit its project.

    The files `<stem>.provenance.json`, `<stem>.decoder.json` and `<stem>.testset.npz` beside the file of a saved model
    are copied into the project; `test` takes the place of the last.

    Args:
        model: a Keras or QKeras model, or the path of a .keras file.
        out: folder of the project; an earlier project there is replaced.
        options: options of the conversion: all of them, or by name those that are not as the masks of the model and
            the defaults of `ConversionOptions` say.
        test: samples and labels (x, y), or the path of an .npz file of them, for the test set.
        calibration: float samples, or the path of a file of them, by which formats are chosen.
        classes: names of the classes, as in `ESEBackend.create_initial_config`.
        scaling: scaling of recorded values, as in `ESEBackend.create_initial_config`.

    Returns:
        The project and the conversion.

    Raises:
        EseError: if the model cannot be read or converted, or `out` holds anything but a project.
    """
    out = Path(out)
    check_target(out, DESCRIPTION)
    loaded = LoadedModel.of(model)
    if not isinstance(options, ConversionOptions):
        options = options_for(loaded, options or {})
    with contextlib.redirect_stdout(sys.stderr):
        graph = hls4ml.converters.convert_from_keras_model(
            loaded.model,
            backend="ESE",
            output_dir=str(out),
            board=options.board,
            files=loaded.beside(PROVENANCE, DECODER, *([] if test is not None else [TESTSET])),
            hls_config={"Model": options.to_model_config()},
            strict=options.strict,
            test=test,
            calibration=calibration,
            classes=classes,
            scaling=scaling,
        )
        graph.write()
    conversion: Conversion = graph.ese_conversion
    return Project.open(out), conversion
