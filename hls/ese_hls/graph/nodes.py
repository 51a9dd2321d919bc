# SPDX-License-Identifier: Apache-2.0
"""The graph nodes of this backend. They derive only from `Layer`, so that no pass or template of hls4ml matches."""

from __future__ import annotations

from hls4ml.model.attributes import Attribute
from hls4ml.model.layers import Layer, register_layer


class SparseNode(Layer):  # type: ignore[misc]
    """A layer that the engine runs.

    Among its hls4ml attributes are `tensors` (`LayerTensors`), which the reader of the Keras layer sets, and those that
    passes set if they absorb a layer into this one: `output` (`Fixed`, the format of the outputs), `relu` (bool) and
    `normalized` (factor and offset of a normalization). An attribute that no pass has set reads as None.
    """

    _expected_attributes = [Attribute("n_in"), Attribute("n_out")]  # noqa: RUF012 - hls4ml's own convention

    def initialize(self) -> None:
        """Give the node its output variable."""
        add_output(self)


class SparseDense(SparseNode):
    """A fully connected layer whose zero weights are neither stored nor computed."""


class SparseRecurrent(SparseNode):
    """A recurrent layer whose zero weights are neither stored nor computed."""


class SparseLSTM(SparseRecurrent):
    """An LSTM."""


class SparseGRU(SparseRecurrent):
    """A GRU."""


class HostStep(Layer):  # type: ignore[misc]
    """A layer without a matrix, which the host computes exactly between the engine's chains.

    The node has the hls4ml attribute `operation`, which `ese_hls.lower.host_operations` reads, and those that the
    operation needs.
    """

    _expected_attributes = [Attribute("operation", value_type=str)]  # noqa: RUF012 - hls4ml's own convention

    def initialize(self) -> None:
        """Give the node its output variable."""
        add_output(self)


def add_output(node: Layer) -> None:
    """Add the output variable in the Keras shape; an axis of varying length counts as 1, since hls4ml needs numbers."""
    node.add_output_variable([1 if extent is None else extent for extent in node.get_attr("extents")])


def maker(node: Layer) -> Layer:
    """The node that computes the output of `node`: the Dense node before it if it is an absorbed ReLU, else itself."""
    return node.get_input_node() if node.get_attr("absorbed") else node


def keras_tensors(node: Layer) -> list[str]:
    """Names of the Keras tensors that have the value of a node, with all that was folded into it."""
    names = node.get_attr("keras_tensors")
    return list(node.get_attr("output_keras_tensor_names") or []) if names is None else names


def register() -> None:
    """Register the nodes with hls4ml."""
    register_layer("HostStep", HostStep)
    register_layer("SparseDense", SparseDense)
    register_layer("SparseGRU", SparseGRU)
    register_layer("SparseLSTM", SparseLSTM)
