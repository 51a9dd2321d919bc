# SPDX-License-Identifier: Apache-2.0
"""The last pass of a conversion: Keras and the golden program must agree on samples."""

from __future__ import annotations

from typing import Any

from hls4ml.model.optimizer import ModelOptimizerPass


class SelfCheck(ModelOptimizerPass):  # type: ignore[misc]
    """Runs samples through Keras and through the golden program, and compares them layer by layer."""

    def __init__(self) -> None:
        self.name = "self_check"

    def transform(self, model: Any) -> bool:
        """Compare; a conversion from anything but a Keras model is not checked.

        Raises:
            MismatchError: if a layer differs by more than the formats explain.
        """
        from ese_hls.selfcheck import self_check  # not at the top: it imports hls4ml, which loads this module

        self_check(model)
        return True
