# SPDX-License-Identifier: Apache-2.0
"""`build`: from a Keras model to a design folder in one call."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, cast, overload

from ese_hls.backend.emission import emit
from ese_hls.build import BuildReport, Emulator, build_bitstream, build_emulated, build_project
from ese_hls.emulate import find_compiler
from ese_host.bundle import NAME, Folder
from ese_host.errors import UnsupportedError
from ese_host.files import check_target

Tool = Literal["g++", "verilator", "vivado", "vitis"]
EMULATORS = ("g++", "verilator")
TOOLS = (*EMULATORS, "vivado", "vitis")


@overload
def build(model: Any, out: str | Path, *, with_: Literal["vitis"], **arguments: Any) -> BuildReport: ...


@overload
def build(
    model: Any, out: str | Path, *, with_: Literal["g++", "verilator", "vivado"] | None = None, **arguments: Any
) -> Folder: ...


def build(
    model: Any,
    out: str | Path,
    *,
    board: str = "pynq-z2",
    test: Any = None,
    with_: Tool | None = None,
    pes: int | None = None,
    classes: Any = None,
    scaling: Any = None,
    calibration: Any = None,
    project: str | Path | None = None,
    flow: Literal["hls", "rtl"] = "hls",
    **options: Any,
) -> Union[Folder, BuildReport]:
    """Convert a Keras model and build its design folder: emulated by default, or with the vendor's tools.

    Args:
        model: a Keras or QKeras model, or the path of a .keras file.
        out: the design folder to make, bitstreams/<design>; an earlier one there is replaced. "vitis" makes none, but
            takes its name for the project's.
        board: name of the target board.
        test: samples and labels (x, y), or the path of an .npz file with `x` and `y`, for the design's test set; the
            labels may be None.
        with_: tool that builds it: "g++" or "verilator" emulates, "vivado" makes a bitstream, "vitis" an IP core. By
            default it is emulated by the tool of its flow.
        pes: number of PEs; by default that for which the model's masks were made, else chosen by size.
        classes: names of the classes, as for `convert_from_keras_model`.
        scaling: (mean, deviation) of recorded values, as for `convert_from_keras_model`.
        calibration: float samples, or the path of a file of them, by which formats are chosen.
        project: folder of the emitted project. By default an emulated design keeps none, and the vendor's tools work
            in `<out>-project`.
        flow: of what the engine for a board is made: "hls" or "rtl".
        options: further fields of `ConversionOptions`: gap_bits, mode, storage, self_check, strict ...

    Returns:
        The opened design folder, for `ese4ml.open` and `ese4ml.check`; for "vitis" the reports of the tool.

    Raises:
        UnsupportedError: if an option is not allowed, or the engine cannot run the model; the message says what to
            change.
        MissingError: if a file does not exist, or a tool is not installed.
        ToolError: if a tool fails.
        EseError: if the model cannot be read or converted, or a folder holds something else.
    """
    out = Path(out)
    if with_ is not None and with_ not in TOOLS:
        raise UnsupportedError(f"with_ is {with_!r}; {', '.join(TOOLS)} are allowed, or None to emulate")
    emulated = with_ is None or with_ in EMULATORS
    if with_ != "vitis":
        check_target(out, NAME)
    if emulated:
        find_compiler()  # said before a long conversion
    if project is None and not emulated:
        project = out.with_name(f"{out.name}-project")
    given = {"board": board, "pes": pes, "flow": flow, **options}
    with _project_folder(project) as folder:
        emit(model, folder, given, test=test, calibration=calibration, classes=classes, scaling=scaling)
        if with_ == "vitis":
            return build_project(folder, csim=False, synth=True, cosim=True, export=True)
        if emulated:
            build_emulated(folder, out, cast("Emulator | None", with_))
        else:
            build_bitstream(folder, out)
    return Folder.open(out)


@contextlib.contextmanager
def _project_folder(project: str | Path | None) -> Iterator[Path]:
    """Context with the folder of a project, which is deleted afterwards if the user named none."""
    if project is not None:
        yield Path(project)
        return
    with tempfile.TemporaryDirectory(prefix="ese4ml-project-") as name:
        yield Path(name) / "project"
