# SPDX-License-Identifier: Apache-2.0
"""The pass of the writer flow, which emits the project."""

from __future__ import annotations

from typing import Any

from hls4ml.model.optimizer import ModelOptimizerPass
from hls4ml.writer import get_writer


class WriteProject(ModelOptimizerPass):  # type: ignore[misc]
    """Calls the backend's writer."""

    def __init__(self) -> None:
        self.name = "write_project"

    def transform(self, model: Any) -> bool:
        """Emit the project."""
        get_writer(model.config.backend.name).write_hls(model)
        return True
