# SPDX-License-Identifier: Apache-2.0
"""The pass that makes the test set of a converted model."""

from __future__ import annotations

from typing import Any

from hls4ml.model.optimizer import ModelOptimizerPass


class MakeTestSet(ModelOptimizerPass):  # type: ignore[misc]
    """Makes the content of testset.npz of the user's samples, as `ese_test_set`; that of other samples is made late."""

    def __init__(self) -> None:
        self.name = "make_test_set"

    def transform(self, model: Any) -> bool:
        """Make the test set of the argument `test`, so that labels that do not fit are refused at conversion.

        Raises:
            FormatError: if the user's labels do not fit the model, or there are too many samples.
        """
        from ese_hls.backend.test_set import test_set_of  # not at the top: hls4ml loads this module early

        model.ese_test_set = None if model.config.config.get("ESETest") is None else test_set_of(model)
        return True
