# SPDX-License-Identifier: Apache-2.0
"""The hls4ml backend ESE."""

from __future__ import annotations

from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hls4ml.backends.backend import Backend
from hls4ml.backends.fpga.fpga_backend import FPGABackend
from hls4ml.model.flow import register_flow

from ese_hls.build import BuildReport
from ese_hls.lower import Conversion
from ese_hls.project import is_written
from ese_host import interface
from ese_host.bundle import INTERFACE, TESTSET, image_name
from ese_host.errors import MissingError, UnsupportedError
from ese_host.files import write_by

NAME = "ESE"

FLOWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("remember", ("ese:remember_layers",)),
    (
        "map",
        (
            "ese:remove_identity",
            "ese:absorb_reverse",
            "ese:fold_normalization",
            "ese:absorb_input_quantizer",
            "ese:read_finely",
            "ese:absorb_quantizer",
            "ese:absorb_relu",
        ),
    ),
    ("check", ("ese:refuse_unmapped",)),
    ("convert", ("ese:to_program",)),
    ("self_check", ("ese:self_check",)),
    ("test_set", ("ese:make_test_set",)),
)
"""All passes of a conversion in order; hls4ml's own passes take no part."""


WRITE = ("make_stamp", "ese:write_project")
"""Passes of `write()`; hls4ml's stamp tells apart the libraries of models that share an output directory."""


class ESEBackend(Backend):  # type: ignore[misc]
    """Sparse LSTM and Dense layers on interleaved processing elements.

    It derives from hls4ml's plain `Backend` and not from `FPGABackend`, which registers about a hundred passes and
    templates for layers that are written out one by one. This backend emits one engine and an image instead.
    """

    def __init__(self) -> None:
        super().__init__(NAME)
        flows: list[str] = []
        for flow, passes in FLOWS:
            flows.append(register_flow(flow, list(passes), requires=flows[-1:], backend=NAME))
        self._default_flow = register_flow("ip", None, requires=flows, backend=NAME)
        self._writer_flow = register_flow("write", list(WRITE), requires=[self._default_flow], backend=NAME)

    def get_default_flow(self) -> str:
        """Name of the flow that a conversion runs."""
        return str(self._default_flow)

    def get_writer_flow(self) -> str:
        """Name of the flow that `write()` runs."""
        return str(self._writer_flow)

    def create_initial_config(
        self,
        board: str = "pynq-z2",
        part: str | None = None,
        clock_period: float | None = None,
        io_type: str = "io_stream",
        files: dict[str, Path] | None = None,
        strict: bool = False,
        calibration: Any = None,
        test: Any = None,
        classes: Any = None,
        scaling: Any = None,
        **others: Any,
    ) -> dict[str, Any]:
        """Configuration from the keyword arguments of `convert_from_keras_model`.

        Args:
            board: name of a board that ese4ml knows.
            part: part number of the FPGA; must be the board's if given.
            clock_period: clock period in ns; that of the board by default.
            io_type: "io_stream" or "io_parallel", as for other backends; the engine's ports are streams in both cases.
            files: paths of further files that `write()` copies into the project, by their names there.
            strict: whether values that are lost in a format are an error instead of a warning.
            calibration: float samples as for `predict`, or the path of an .npz or .npy file of them; formats that the
                model does not choose are chosen by them, and the self-check runs them.
            test: samples and their labels (x, y), or the path of an .npz file with x and y; they become the project's
                test set, with the outputs of Keras. The labels may be None.
            classes: names of the classes: a list, or a dict of lists by the name of the output.
            scaling: (mean, deviation) of recorded values, of which the model takes (recorded - mean) / deviation: one
                number for each feature, or one for all; or a dict of such pairs by the name of the input, or the path
                of an .npz file with both arrays. `predict` takes the model's inputs; an opened design takes recorded
                values.
            others: arguments of hls4ml's other backends (namespace, write_tar ...); only None and False are accepted.

        Raises:
            UnsupportedError: if a value is not allowed.
            MissingError: if a file does not exist.
            FormatError: if a file cannot be read.
        """
        from ese_hls.backend.samples import calibration_from, test_from
        from ese_host.boards import load_board

        for name, value in others.items():
            if value is not None and value is not False:
                raise UnsupportedError(
                    f"{name} is {value!r}; backend ESE takes board, part, clock_period, io_type, files, strict, "
                    "calibration, test, classes and scaling: leave it out"
                )
        target = load_board(board)
        if part is not None and part != target.part:
            raise UnsupportedError(
                f"part is {part!r}; board {board!r} has {target.part!r}: leave part out, or name its board"
            )
        if io_type not in ("io_stream", "io_parallel"):
            raise UnsupportedError(f"io_type is {io_type!r}; 'io_stream' and 'io_parallel' are allowed")
        if clock_period is not None and not (isinstance(clock_period, Real) and 1 <= float(clock_period) <= 1000):
            raise UnsupportedError(
                f"clock_period is {clock_period!r}; a number of nanoseconds from 1 to 1000 is allowed: leave it out "
                "for the board's own"
            )
        if not isinstance(strict, bool):
            raise UnsupportedError(f"strict is {strict!r}; True and False are allowed")
        if test is not None and TESTSET in (files or {}):
            raise UnsupportedError(
                f"test is given, and files has {TESTSET}; a project has one test set: leave one of the two out"
            )
        clock = None if clock_period is None else round(1000 / clock_period)
        return {
            "Part": target.part,
            "ClockPeriod": 1000 / (clock or target.clock_mhz),
            "IOType": io_type,
            "HLSConfig": {},
            "ESE": {"board": board, "clock_mhz": clock, **({"strict": True} if strict else {})},
            "ESEFiles": dict(files or {}),
            "ESECalibration": None if calibration is None else calibration_from(calibration),
            "ESETest": None if test is None else test_from(test),
            "ESEClasses": classes,
            "ESEScaling": scaling,
        }

    def create_layer_class(self, layer_class: type) -> type:
        """A subclass of a layer class that names the class it wraps, as hls4ml expects of a backend.

        hls4ml keeps the output variable of a node among its attributes, under the variable's name. A variable called
        'output' or 'function' would therefore replace the attribute of that name. hls4ml stores the variable elsewhere
        if its name is an expected attribute, so this class adds the names of all outputs to the expected attributes.
        """

        def add_output_variable(node: Any, *args: Any, **kwargs: Any) -> None:
            node.attributes._expected_attributes.extend(node.outputs)
            layer_class.add_output_variable(node, *args, **kwargs)  # type: ignore[attr-defined]

        wrapped = f"{layer_class.__module__}.{layer_class.__qualname__}"
        members = {"_expected_attributes": [], "_wrapped": wrapped, "add_output_variable": add_output_variable}
        return type(NAME + layer_class.__name__, (layer_class,), members)

    @staticmethod
    def convert_precision_string(precision: Any) -> Any:
        """Parse a precision such as "fixed<16,6>", as hls4ml's FPGA backends do."""
        return FPGABackend.convert_precision_string(precision)

    def write(self, model: Any) -> None:
        """Emit the project into the model's output directory.

        Raises:
            CapacityError: if a memory of the engine cannot hold the network.
            UnsupportedError: if the engine does not support the network.
            MismatchError: if the output directory holds anything but a project of this backend.
        """
        model.apply_flow(self.get_writer_flow())

    def compile(self, model: Any) -> str:
        """Compile the emitted engine with g++ and return the library's path.

        Raises:
            MissingError: if g++ is not installed.
            ToolError: if g++ fails.
        """
        from ese_hls.emulate import compile_emulator, read_words

        project = project_of(model)
        library = compile_emulator(project, project / f"emulator-{model.config.get_config_value('Stamp')}.so")
        chains = conversion_of(model).program.chains
        model.ese_images = [read_words(project / image_name(number)) for number in range(len(chains))]
        return str(library)

    def predict(self, model: Any, x: Any, batch_size: Any = None, verbose: Any = None) -> Any:  # noqa: ARG002 - Keras's
        """Run float inputs through the program: its chains on the compiled engine, its host operations on the host.

        Args:
            model: a `ModelGraph` of this backend.
            x: an array, tensor or list of numbers as for Keras's `predict`; for several inputs a list of them, or a
                dict by input name.
            batch_size: taken, as Keras's `predict` does, and without effect.
            verbose: likewise.

        Returns:
            Arrays as Keras's `predict` returns them, in a list or dict if the model has one: probabilities if the model
            ends in a softmax, otherwise the exact output of the last layer.

        Raises:
            MissingError: if the model has not been compiled.
            FormatError: if an input is missing, has another shape, or is not finite.
            UnsupportedError: if values are saturated and the model was converted with `strict`.
        """
        from ese_hls.emulate import predict

        if model._top_function_lib is None:
            raise MissingError("the model is not compiled: call compile() before predict()")
        return predict(model, x)

    def trace(self, model: Any, x: Any) -> tuple[Any, dict[str, npt.NDArray[np.float32]]]:
        """Outputs as `predict` returns them, and by name those of the layers with `Trace: True` in the configuration.

        If no layer has `Trace: True`, all are traced. Keys and shapes are those of hls4ml's `get_ymodel_keras`
        (docs/reference/hls4ml.md).

        Raises:
            MissingError: if the model has not been compiled.
            FormatError: if an input is missing, has another shape, or is not finite.
            UnsupportedError: if values are saturated and the model was converted with `strict`.
            DeviceError: if a value of the engine is not the ReLU of the golden model's sum.
        """
        from ese_hls.emulate import chosen_layers, trace

        if model._top_function_lib is None:
            raise MissingError("the model is not compiled: call compile() before trace()")
        chosen = chosen_layers(model.config.config["HLSConfig"].get("LayerName") or {})
        return trace(model, x, chosen)

    def build(self, model: Any, *, emulated: bool = False, design: Any = None, **options: Any) -> BuildReport:
        """Run Vitis HLS and Vivado on the project, or compile the engine; leave a folder that can be run.

        A project that is not this model's, or none yet, is written first.

        Args:
            model: a `ModelGraph` of this backend.
            emulated: whether to compile the engine, without any tool of the vendor, into a design folder: with g++, or
                with Verilator if the flow is "rtl".
            design: the design folder that `emulated` or `bitfile` makes, for `ese4ml check` and `ese4ml run`; by
                default the folder `design` in the project.
            options: the steps that hls4ml's Vitis backend has, and `bitfile`; see
                `ese_hls.build.vitis.build_project` for them and for the errors.

        Raises:
            UnsupportedError: if `emulated` is given with a step of the vendor's tools, or `design` without a build that
                makes one.
        """
        from ese_hls.build import build_bitstream, build_emulated, build_project

        chosen = sorted(name for name, value in options.items() if value)
        if emulated and chosen:
            raise UnsupportedError(
                f"build has emulated=True and {chosen[0]}={options[chosen[0]]!r}; an emulated design needs no tool of "
                "the vendor: leave one of the two out"
            )
        if design is not None and not emulated and not options.get("bitfile"):
            raise UnsupportedError(
                f"design is {str(design)!r}; only emulated=True and bitfile=True make a design folder: add one of them"
            )
        project = project_of(model)
        if not is_written(conversion_of(model), project):
            self.write(model)
        else:
            write_by(project / INTERFACE, lambda part: part.write_bytes(interface.dump(model.ese_interface)))
            if model.ese_test_set is not None:
                write_by(project / TESTSET, lambda part: part.write_bytes(model.ese_test_set))
        out = Path(design) if design is not None else project / "design"
        if emulated:
            build_emulated(project, out)
            return BuildReport(design=str(out))
        if options.get("bitfile"):
            by_hls = conversion_of(model).options.flow == "hls"
            return build_bitstream(project, out, **{"csim": by_hls, "synth": by_hls, **options})[1]
        return build_project(project, **options)


def conversion_of(model: Any) -> Conversion:
    """The conversion that a converted `ModelGraph` holds."""
    conversion: Conversion = model.ese_conversion
    return conversion


def project_of(model: Any) -> Path:
    """The absolute path of a model's output directory."""
    return Path(model.config.get_output_dir()).absolute()
