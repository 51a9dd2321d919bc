# SPDX-License-Identifier: Apache-2.0
"""The entry point that hls4ml calls to find backends: it registers backend, writer, nodes and readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ese_hls.backend.backend import NAME, ESEBackend
from ese_hls.backend.writer import EseWriter
from ese_hls.frontend import parse
from ese_hls.graph import nodes


def register(register_backend: Callable[[str, Any], None], register_writer: Callable[[str, Any], None]) -> None:
    """Register this backend with hls4ml; this is the entry point of the group `hls4ml.backends`.

    Args:
        register_backend: hls4ml's function, which makes an instance of the backend's class.
        register_writer: hls4ml's function; it is called first, because a backend may look up its writer.
    """
    nodes.register()
    parse.register()
    register_writer(NAME, EseWriter)
    register_backend(NAME, ESEBackend)
