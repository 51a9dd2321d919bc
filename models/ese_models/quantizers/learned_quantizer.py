# SPDX-License-Identifier: Apache-2.0
"""Base of the quantizers that have variables.

Such a quantizer is a Keras layer. The layer that uses it tracks its variables, so that `fit` trains them and `save`
stores them. The configuration holds the state as well: qkeras-v3 stores a quantizer under one attribute when a layer is
built and under another when it is loaded, while Keras finds saved variables by the name of the attribute.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ese_host.errors import MismatchError, UnsupportedError
from ese_models.quantizers.base import Quantizer
from ese_models.quantizers.masked import MAX_FRAC, finite_floats


class LearnedQuantizer(Quantizer, keras.layers.Layer):  # type: ignore[misc,unused-ignore]
    """A quantizer with variables; subclasses define `call`, `get_config` and `codes_and_scale`.

    Args:
        shape: of the kernel, (inputs, outputs).
        max_frac: largest number of fractional bits of the scales, 0 to 30.

    Raises:
        UnsupportedError: if the shape does not have two positive sizes, or `max_frac` is not allowed.
    """

    alpha = "auto"

    def __init__(self, shape: tuple[int, int], max_frac: int = MAX_FRAC) -> None:
        super().__init__(dtype="float32")
        if len(shape) != 2 or min(shape) < 1:
            raise UnsupportedError(
                f"{type(self).__name__}: shape is {tuple(shape)}; it must be the kernel's (inputs, outputs), at least 1"
            )
        self.shape, self.max_frac = (int(shape[0]), int(shape[1])), self.allowed_frac(max_frac)

    def __call__(self, x: Any) -> Any:
        """Quantized weights.

        This bypasses what Keras does around `call`, which would be repeated at every time step of a recurrent layer.
        """
        return self.call(keras.ops.convert_to_tensor(x))

    def new_variable(self, name: str, value: npt.NDArray[Any], trainable: bool = False) -> Any:
        """Add a variable to the quantizer.

        Args:
            name: of the variable.
            value: its initial value, which also gives its shape and type.
            trainable: whether the optimizer trains it.
        """
        return self.add_weight(
            name=name, shape=value.shape, dtype=value.dtype.name, trainable=trainable,
            initializer=lambda *_args, **_kwargs: value,
        )  # fmt: skip

    def load_own_variables(self, store: Any) -> None:
        """Load the variables from a weights file; if it has none under this name, keep those of the configuration."""
        if list(store.keys()):
            super().load_own_variables(store)

    def checked(self, weights: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The weights as float32, after a check of their values and shape.

        Raises:
            FormatError: if a weight is not finite.
            MismatchError: if the weights do not have the quantizer's shape.
        """
        array = finite_floats(weights)
        if array.shape != self.shape:
            raise MismatchError(f"weights have shape {array.shape}; {type(self).__name__} was made for {self.shape}")
        return array
