"""The graph nodes of this backend; deriving from `Layer` alone, they match no pass or template of hls4ml."""

from __future__ import annotations

from hls4ml.model.attributes import Attribute
from hls4ml.model.layers import Layer, register_layer


class SparseNode(Layer):  # type: ignore[misc]
    """A layer that the engine runs.

    Attributes of the node: `tensors` (a `LayerTensors`), `output` (`Fixed` or None), `relu` (bool).
    """

    _expected_attributes = [Attribute("n_in"), Attribute("n_out")]  # noqa: RUF012 - hls4ml's own convention

    def initialize(self) -> None:
        """Give the node its output variable: the input's shape with the last dimension replaced."""
        shape = list(self.get_input_variable().shape[:-1]) if self.keeps_steps else []
        self.add_output_variable([*shape, self.get_attr("n_out")])

    @property
    def keeps_steps(self) -> bool:
        """Whether an output leaves at every step."""
        return True


class SparseDense(SparseNode):
    """A fully connected layer whose zero weights are neither stored nor computed."""


class SparseLSTM(SparseNode):
    """An LSTM whose zero weights are neither stored nor computed."""

    @property
    def keeps_steps(self) -> bool:
        """Whether an output leaves at every step: Keras's `return_sequences`."""
        return bool(self.get_attr("return_sequences"))


def register() -> None:
    """Make the nodes known to hls4ml."""
    register_layer("SparseDense", SparseDense)
    register_layer("SparseLSTM", SparseLSTM)
