"""What hls4ml calls when it looks for backends: registers backend, writer, nodes and Keras handlers, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ese_hls.backend.backend import NAME, ESEBackend
from ese_hls.backend.writer import EseWriter
from ese_hls.frontend import keras2, keras3
from ese_hls.graph import nodes


def register(register_backend: Callable[[str, Any], None], register_writer: Callable[[str, Any], None]) -> None:
    """Entry point of the group `hls4ml.backends`.

    Args:
        register_backend: hls4ml's function; it makes an instance of the class.
        register_writer: hls4ml's function; called first, since a backend may look its writer up.
    """
    nodes.register()
    keras3.register()
    keras2.register()
    register_writer(NAME, EseWriter)
    register_backend(NAME, ESEBackend)
