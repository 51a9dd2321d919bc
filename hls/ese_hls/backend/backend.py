"""The hls4ml backend ESE."""

from __future__ import annotations

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
"""All passes of a conversion, in order; none of hls4ml's own takes part."""


WRITE = ("make_stamp", "ese:write_project")
"""Passes of `write()`; hls4ml's stamp keeps apart the libraries of models that share an output directory."""


class ESEBackend(Backend):  # type: ignore[misc]
    """Sparse LSTM and Dense layers on interleaved processing elements.

    It derives from hls4ml's plain `Backend`: `FPGABackend` would register a hundred passes and templates for layers
    that are written out one by one, while this backend emits one engine and an image.
    """

    def __init__(self) -> None:
        super().__init__(NAME)
        done: list[str] = []
        for flow, passes in FLOWS:
            done.append(register_flow(flow, list(passes), requires=done[-1:], backend=NAME))
        self._default_flow = register_flow("ip", None, requires=done, backend=NAME)
        self._writer_flow = register_flow("write", list(WRITE), requires=[self._default_flow], backend=NAME)

    def get_default_flow(self) -> str:
        """The flow that a conversion runs."""
        return str(self._default_flow)

    def get_writer_flow(self) -> str:
        """The flow that `write()` runs."""
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
            board: a board of this project.
            part: must be the board's, if given.
            clock_period: in ns; the board's clock otherwise.
            io_type: "io_stream" or "io_parallel", as for other backends; the engine's ports are streams either way.
            files: further files that `write()` puts into the project, by the name they get there.
            others: refused, but for None and False: what hls4ml's own backends take besides (namespace, write_tar ...).

        Raises:
            UnsupportedError: a value that is not allowed.
        """
        from ese_host.boards import load_board

        for name, value in others.items():
            if value is not None and value is not False:
                raise UnsupportedError(
                    f"{name} is {value!r}; backend ESE takes board, part, clock_period, io_type and files: leave it out"
                )
        found = load_board(board)
        if part is not None and part != found.part:
            raise UnsupportedError(
                f"part is {part!r}; board {board!r} has {found.part!r}: leave part out, or name its board"
            )
        if io_type not in ("io_stream", "io_parallel"):
            raise UnsupportedError(f"io_type is {io_type!r}; 'io_stream' and 'io_parallel' are allowed")
        clock = None if clock_period is None else round(1000 / clock_period)
        return {
            "Part": found.part,
            "ClockPeriod": 1000 / (clock or found.clock_mhz),
            "IOType": io_type,
            "HLSConfig": {},
            "ESE": {"board": board, "clock_mhz": clock},
            "ESEFiles": dict(files or {}),
        }

    def create_layer_class(self, layer_class: type) -> type:
        """hls4ml's convention: a subclass that remembers what it wraps.

        A node keeps its output variable among its attributes, by its name: one called 'output' or 'function' would take
        that attribute's place. hls4ml puts it elsewhere where an attribute of that name is expected: here, always.
        """

        def add_output_variable(node: Any, *args: Any, **kwargs: Any) -> None:
            node.attributes._expected_attributes.extend(node.outputs)
            layer_class.add_output_variable(node, *args, **kwargs)  # type: ignore[attr-defined]

        wrapped = f"{layer_class.__module__}.{layer_class.__qualname__}"
        members = {"_expected_attributes": [], "_wrapped": wrapped, "add_output_variable": add_output_variable}
        return type(NAME + layer_class.__name__, (layer_class,), members)

    @staticmethod
    def convert_precision_string(precision: Any) -> Any:
        """hls4ml's reading of "fixed<16,6>" and the like."""
        return FPGABackend.convert_precision_string(precision)

    def write(self, model: Any) -> None:
        """Emit the project into the model's output directory.

        Raises:
            CapacityError, UnsupportedError: the network does not fit the engine.
            MismatchError: the output directory holds something else than a project of this backend.
        """
        model.apply_flow(self.get_writer_flow())

    def compile(self, model: Any) -> str:
        """Compile the emitted engine with g++ and return the library's path.

        Raises:
            MissingError: g++ is not installed.
        """
        from ese_hls.emulate import compile_emulator, read_words

        project = project_of(model)
        library = compile_emulator(project, project / f"emulator-{model.config.get_config_value('Stamp')}.so")
        chains = conversion_of(model).program.chains
        model.ese_images = [read_words(project / image_name(number)) for number in range(len(chains))]
        return str(library)

    def predict(self, model: Any, x: Any) -> Any:
        """Run float inputs through the compiled engine, and the host's steps where the model has any.

        Args:
            model: a `ModelGraph` of this backend.
            x: an array as for Keras's `predict`; for several inputs a list, or a dict by name.

        Returns:
            What Keras's `predict` returns: softmax probabilities where the model ends in a softmax, the last layer's
            exact output otherwise; a list for several outputs.

        Raises:
            MissingError: the model has not been compiled. FormatError: `x` has another shape, or is not finite.
        """
        from ese_hls.emulate import predict

        if model._top_function_lib is None:
            raise MissingError("the model is not compiled: call compile() before predict()")
        return predict(model._top_function_lib, model.ese_images, conversion_of(model), x)

    def trace(
        self, model: Any, x: npt.NDArray[np.floating[Any]]
    ) -> tuple[npt.NDArray[np.float32], dict[str, npt.NDArray[np.float32]]]:
        """Outputs as `predict` returns them, and by name those of the layers with `Trace: True` in the configuration.

        Without such a layer, all are traced. Keys and shapes are those of `get_ymodel_keras` (docs/hls4ml.md).

        Raises:
            MissingError: the model has not been compiled. FormatError: `x` has another shape, or is not finite.
        """
        from ese_hls.emulate import chosen_layers, trace

        if model._top_function_lib is None:
            raise MissingError("the model is not compiled: call compile() before trace()")
        chosen = chosen_layers(model.config.config["HLSConfig"].get("LayerName") or {})
        return trace(model._top_function_lib, model.ese_images, conversion_of(model), model.ese_layers, x, chosen)

    def build(self, model: Any, **options: Any) -> BuildReport:
        """Run Vitis HLS and Vivado on the emitted project: hls4ml's steps, and `bitfile`.

        See `ese_hls.build.vitis.build_project` for the options and errors.
        """
        from ese_hls.build import build_project

        return build_project(project_of(model), **options)


def conversion_of(model: Any) -> Conversion:
    """What a converted `ModelGraph` holds: network, summary, options."""
    conversion: Conversion = model.ese_conversion
    return conversion


def project_of(model: Any) -> Path:
    """A model's output directory, absolute."""
    return Path(model.config.get_output_dir()).absolute()
