# SPDX-License-Identifier: Apache-2.0
"""hls4ml's model graph with this backend's `trace`, `str` and unloading of the library."""

from __future__ import annotations

import weakref
from _ctypes import dlclose
from typing import Any

import numpy as np
import numpy.typing as npt
from hls4ml.model.graph import ModelGraph


class EseGraph(ModelGraph):  # type: ignore[misc]
    """A converted model's graph, which the pass `RememberLayers` gives this class.

    It has a `trace` of its own because hls4ml's `trace` does not call the backend.
    """

    def _compile(self) -> None:
        """Compile and load the library; unlike in hls4ml, it is unloaded when the graph is deleted."""
        closing: weakref.finalize[Any, Any] | None = getattr(self, "_closing", None)
        if closing is not None:
            closing.detach()  # hls4ml closes the library that it replaces
        super()._compile()
        self._closing = weakref.finalize(self, dlclose, self._top_function_lib._handle)
        self._closing.atexit = False  # other objects may still use the library when Python exits

    def trace(self, x: Any) -> tuple[Any, dict[str, npt.NDArray[np.float32]]]:
        """Outputs as `predict` returns them, and those of each layer by its Keras name; compiles the model if needed.

        Raises:
            FormatError: if an input is missing, has another shape, or is not finite.
            UnsupportedError: if values are saturated and the model was converted with `strict`.
            MissingError: if g++ is not installed.
            ToolError: if g++ fails.
            DeviceError: if a value of the engine is not the ReLU of the golden model's sum.
        """
        if self._top_function_lib is None:
            self.compile()
        result: tuple[Any, dict[str, npt.NDArray[np.float32]]] = self.config.backend.trace(self, x)
        return result

    def __str__(self) -> str:
        """The nodes of the graph, one per line, and the summary of the conversion."""
        rows = [
            f"{node.name} ({node.class_name}): {list(node.get_output_variable().shape)}" for node in self.get_layers()
        ]
        return "\n".join([*rows, str(self.ese_conversion)])
