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
        """Give the node its output variable."""
        add_output(self)


class SparseDense(SparseNode):
    """A fully connected layer whose zero weights are neither stored nor computed."""


class SparseLSTM(SparseNode):
    """An LSTM whose zero weights are neither stored nor computed."""


class HostStep(Layer):  # type: ignore[misc]
    """A layer without a matrix, which the host computes between the engine's chains, exactly.

    Attributes of the node: `operation` (what `ese_hls.lower.host_steps` makes of it), and that operation's own.
    """

    _expected_attributes = [Attribute("operation", value_type=str)]  # noqa: RUF012 - hls4ml's own convention

    def initialize(self) -> None:
        """Give the node its output variable."""
        add_output(self)


def add_output(node: Layer) -> None:
    """A node's output variable, of the Keras shape; hls4ml's variables need numbers, so a varying axis counts as 1."""
    node.add_output_variable([1 if extent is None else extent for extent in node.get_attr("extents")])


def maker(node: Layer) -> Layer:
    """The node that computes what `node` hands on: the Dense layer of a ReLU that is part of it, else itself."""
    return node.get_input_node() if node.get_attr("absorbed") else node


def register() -> None:
    """Make the nodes known to hls4ml."""
    register_layer("HostStep", HostStep)
    register_layer("SparseDense", SparseDense)
    register_layer("SparseLSTM", SparseLSTM)
