"""A quantizer with variables of its own.

It is a Keras layer, so that the layer that uses it tracks its variables: `fit` trains them and `save` keeps them. The
state stands in the configuration too: qkeras-v3 holds a quantizer under one attribute when it is built and under
another when it is loaded, and Keras finds saved variables by the attribute's name.
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
    """Base: `shape` is the kernel's, (inputs, outputs); subclasses give `call`, its configuration and its codes."""

    alpha = "auto"

    def __init__(self, shape: tuple[int, int], max_frac: int = MAX_FRAC) -> None:
        super().__init__(dtype="float32")
        if len(shape) != 2 or min(shape) < 1:
            raise UnsupportedError(f"{type(self).__name__}: shape is {tuple(shape)}; the kernel's two sizes are needed")
        self.shape, self.max_frac = (int(shape[0]), int(shape[1])), self.allowed_frac(max_frac)

    def __call__(self, x: Any) -> Any:
        """Quantized weights. Keras's own machinery around `call` would run at every step of a recurrent layer."""
        return self.call(keras.ops.convert_to_tensor(x))

    def own(self, name: str, value: npt.NDArray[Any], trainable: bool = False) -> Any:
        """A new variable of this value."""
        return self.add_weight(
            name=name, shape=value.shape, dtype=value.dtype.name, trainable=trainable,
            initializer=lambda *_args, **_kwargs: value,
        )  # fmt: skip

    def load_own_variables(self, store: Any) -> None:
        """The variables of a weights file; those of the configuration stay where it has none under this name."""
        if list(store.keys()):
            super().load_own_variables(store)

    def checked(self, weights: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Sound weights of this shape.

        Raises:
            FormatError: a weight is not finite. MismatchError: the shape is another.
        """
        array = finite_floats(weights)
        if array.shape != self.shape:
            raise MismatchError(f"weights have shape {array.shape}; {type(self).__name__} was made for {self.shape}")
        return array
