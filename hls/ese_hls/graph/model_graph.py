"""hls4ml's model graph, with what this backend answers differently."""

from __future__ import annotations

import weakref
from _ctypes import dlclose
from typing import Any

import numpy as np
import numpy.typing as npt
from hls4ml.model.graph import ModelGraph


class EseGraph(ModelGraph):  # type: ignore[misc]
    """A graph that is traced through the engine's packets: hls4ml's `trace` does not ask the backend.

    A pass gives converted models this class.
    """

    def _compile(self) -> None:
        """Compile and load; the library is closed with the graph, which hls4ml leaves open."""
        closing: weakref.finalize[Any, Any] | None = getattr(self, "_closing", None)
        if closing is not None:
            closing.detach()  # hls4ml closes the library that it replaces
        super()._compile()
        self._closing = weakref.finalize(self, dlclose, self._top_function_lib._handle)
        self._closing.atexit = False  # other objects may still use it when Python ends

    def trace(self, x: npt.NDArray[np.floating[Any]]) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Outputs as `predict` returns them, and each layer's, by its Keras name; compiles where that was not done.

        Raises:
            FormatError: `x` has another shape, or is not finite. MissingError: g++ is not installed.
        """
        if self._top_function_lib is None:
            self.compile()
        result: tuple[npt.NDArray[np.float32], dict[str, Any]] = self.config.backend.trace(self, x)
        return result

    def __str__(self) -> str:
        """The layers that the engine runs, and how the conversion came about."""
        rows = [
            f"{node.name} ({node.class_name}): {list(node.get_output_variable().shape)}" for node in self.get_layers()
        ]
        return "\n".join([*rows, str(self.ese_conversion)])
