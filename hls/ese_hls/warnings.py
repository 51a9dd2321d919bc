# SPDX-License-Identifier: Apache-2.0
"""The class of the warnings on what a conversion loses."""

from __future__ import annotations


class ConversionWarning(UserWarning):
    """Something was clipped, narrowed or rounded beyond its last bit, or may saturate.

    Filter it as any warning: `warnings.simplefilter("error", ConversionWarning)`. `strict=True` of
    `convert_from_keras_model` makes an error of each that has a loss.

    Attributes:
        layer: name of the layer, or "" if the whole model is meant.
        key: the configuration key that would help, or "".
        loss: the largest difference that follows, in the layer's own values. Zero says that Keras computes with the
            same values, because the model's own quantizer made them; None says that the loss depends on the inputs.
    """

    def __init__(self, message: str, layer: str = "", key: str = "", loss: float | None = None) -> None:
        super().__init__(message)
        self.layer, self.key, self.loss = layer, key, loss

    def __str__(self) -> str:
        return str(self.args[0])
