# SPDX-License-Identifier: Apache-2.0
"""The flows that make an engine of a design: HLS C++, which is part of this package, and others by entry points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, cast, get_args

from ese_host.boards import Board
from ese_host.bundle import FlowName
from ese_host.errors import UnsupportedError
from ese_host.extras import needs
from ese_host.image import Design

FLOWS: tuple[FlowName, ...] = get_args(FlowName)
"""Names of the flows; "hls" is the default."""
GROUP = "ese4ml.flows"
"""Group of the entry points, each of which names a module with the functions of `Flow`, by the name of the flow."""


class Flow(Protocol):
    """Functions that the module of a flow offers."""

    def check(self, design: Design) -> None:
        """Refuse a design that the flow cannot make.

        Raises:
            UnsupportedError: if it cannot; the message says what to change.
        """

    def project_files(self, design: Design, board: Board) -> Mapping[str, str]:
        """The files that a project of this flow has besides those of every project: texts by path in the project."""

    def emulate(self, design: Design, library: Path, log: Path, say: Callable[[str], None]) -> dict[str, str]:
        """Compile an emulated bitstream, and return the versions of the tools that made it.

        Args:
            design: the design.
            library: path of the bitstream to write.
            log: path of the file for the output of the tools.
            say: receives lines on how far it is.
        """


def flow(name: FlowName) -> Flow:
    """The flow of a name other than "hls".

    Raises:
        MissingError: if the extra that brings it is not installed.
        UnsupportedError: if it is "hls", which has no entry point.
    """
    if name == "hls":
        raise UnsupportedError("flow 'hls' is this package's own: use its builds")
    for found in entry_points(group=GROUP, name=name):
        try:
            loaded: Any = found.load()
        except ModuleNotFoundError as error:
            raise needs(f"the engine in {name.upper()}", name) from error
        return cast(Flow, loaded)
    raise needs(f"the engine in {name.upper()}", name)
