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
from ese_host.bundle import image_name
from ese_host.errors import MissingError, UnsupportedError

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
            "ese:absorb_quantizer",
            "ese:absorb_relu",
        ),
    ),
    ("check", ("ese:refuse_unmapped",)),
    ("convert", ("ese:to_program",)),
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
        **others: Any,
    ) -> dict[str, Any]:
        """Configuration from the keyword arguments of `convert_from_keras_model`.

        Args:
            board: name of a board that ese4ml knows.
            part: part number of the FPGA; must be the board's if given.
            clock_period: clock period in ns; that of the board by default.
            io_type: "io_stream" or "io_parallel", as for other backends; the engine's ports are streams in both cases.
            files: paths of further files that `write()` copies into the project, by their names there.
            others: arguments of hls4ml's other backends (namespace, write_tar ...); only None and False are accepted.

        Raises:
            UnsupportedError: if a value is not allowed.
        """
        from ese_host.boards import load_board

        for name, value in others.items():
            if value is not None and value is not False:
                raise UnsupportedError(
                    f"{name} is {value!r}; backend ESE takes board, part, clock_period, io_type and files: leave it out"
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
        clock = None if clock_period is None else round(1000 / clock_period)
        return {
            "Part": target.part,
            "ClockPeriod": 1000 / (clock or target.clock_mhz),
            "IOType": io_type,
            "HLSConfig": {},
            "ESE": {"board": board, "clock_mhz": clock},
            "ESEFiles": dict(files or {}),
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

    def predict(self, model: Any, x: Any) -> Any:
        """Run float inputs through the program: its chains on the compiled engine, its host operations on the host.

        Args:
            model: a `ModelGraph` of this backend.
            x: an array as for Keras's `predict`; for several inputs a list of arrays, or a dict by input name.

        Returns:
            An array as Keras's `predict` returns it, or a list of arrays for several outputs: probabilities if the
            model ends in a softmax, otherwise the exact output of the last layer.

        Raises:
            MissingError: if the model has not been compiled.
            FormatError: if an input is missing, has another shape, or is not finite.
        """
        from ese_hls.emulate import predict

        if model._top_function_lib is None:
            raise MissingError("the model is not compiled: call compile() before predict()")
        return predict(model._top_function_lib, model.ese_images, conversion_of(model), x)

    def trace(
        self, model: Any, x: npt.NDArray[np.floating[Any]]
    ) -> tuple[npt.NDArray[np.float32], dict[str, npt.NDArray[np.float32]]]:
        """Outputs as `predict` returns them, and by name those of the layers with `Trace: True` in the configuration.

        If no layer has `Trace: True`, all are traced. Keys and shapes are those of hls4ml's `get_ymodel_keras`
        (docs/hls4ml.md).

        Raises:
            MissingError: if the model has not been compiled.
            FormatError: if an input is missing, has another shape, or is not finite.
            DeviceError: if a value of the engine is not the ReLU of the golden model's sum.
        """
        from ese_hls.emulate import chosen_layers, trace

        if model._top_function_lib is None:
            raise MissingError("the model is not compiled: call compile() before trace()")
        chosen = chosen_layers(model.config.config["HLSConfig"].get("LayerName") or {})
        return trace(model._top_function_lib, model.ese_images, conversion_of(model), model.ese_layers, x, chosen)

    def build(self, model: Any, **options: Any) -> BuildReport:
        """Run Vitis HLS and Vivado on the emitted project.

        The options are the steps that hls4ml's Vitis backend has, and `bitfile`; see
        `ese_hls.build.vitis.build_project` for them and for the errors.
        """
        from ese_hls.build import build_project

        return build_project(project_of(model), **options)


def conversion_of(model: Any) -> Conversion:
    """The conversion that a converted `ModelGraph` holds."""
    conversion: Conversion = model.ese_conversion
    return conversion


def project_of(model: Any) -> Path:
    """The absolute path of a model's output directory."""
    return Path(model.config.get_output_dir()).absolute()
