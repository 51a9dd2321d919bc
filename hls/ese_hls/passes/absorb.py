"""Passes that fold element-wise layers into the format, or the head, of the layer before them."""

from __future__ import annotations

from typing import Any

from hls4ml.model.layers import Activation, Input
from hls4ml.model.optimizer import OptimizerPass

from ese_hls.formats import format_of, is_format, name_of
from ese_hls.layers import SparseDense, SparseNode


def _one_reader(source: Any) -> bool:
    """Whether one node alone reads `source`, which is no output of the model besides."""
    return len(source.get_output_nodes()) == 1 and not set(source.outputs) & set(source.model.outputs)


class RemoveIdentity(OptimizerPass):  # type: ignore[misc]
    """Dropout and linear activations do nothing at inference."""

    def match(self, node: Any) -> bool:
        """An activation that computes nothing."""
        return isinstance(node, Activation) and node.get_attr("activation") == "linear"

    def transform(self, model: Any, node: Any) -> bool:
        """Remove it."""
        model.remove_node(node)
        return True


class SplitDenseActivation(OptimizerPass):  # type: ignore[misc]
    """A Dense layer's own activation is treated as a layer after it."""

    def match(self, node: Any) -> bool:
        """A Dense node that still carries an activation."""
        if not isinstance(node, SparseDense) or node.get_attr("split"):
            return False
        activation = node.get_attr("tensors").activation
        return activation is not None and name_of(activation) != "linear"

    def transform(self, model: Any, node: Any) -> bool:
        """Insert the activation as a node of its own."""
        function = node.get_attr("tensors").activation
        node.set_attr("split", True)
        name = name_of(function)
        attributes = {"activation": name, "function": function, "n_in": node.get_attr("n_out")}
        kind = "Softmax" if name == "softmax" else "Activation"
        model.insert_node(model.make_node(kind, f"{node.name}_{name}", attributes, list(node.outputs)))
        return True


class AbsorbInputQuantizer(OptimizerPass):  # type: ignore[misc]
    """A quantizer right after the input is the format in which the engine reads it."""

    def match(self, node: Any) -> bool:
        """A format quantizer behind an input that has no format yet."""
        if not isinstance(node, Activation) or not is_format(node.get_attr("function")):
            return False
        source = node.get_input_node()
        return isinstance(source, Input) and not source.get_attr("quantized") and _one_reader(source)

    def transform(self, model: Any, node: Any) -> bool:
        """Note its format at the input and remove it."""
        source = node.get_input_node()
        source.set_attr("source", format_of(node.get_attr("function"), f"layer {node.name!r}").fixed)
        source.set_attr("quantized", True)
        model.remove_node(node)
        return True


class AbsorbQuantizer(OptimizerPass):  # type: ignore[misc]
    """A quantizer after an LSTM or Dense layer is the format in which that layer hands its output on."""

    def match(self, node: Any) -> bool:
        """A format quantizer behind a layer that has no output format yet (ReLU belongs to Dense layers)."""
        if not isinstance(node, Activation) or not is_format(node.get_attr("function")):
            return False
        source = node.get_input_node()
        if not isinstance(source, SparseNode) or source.get_attr("output") is not None or not _one_reader(source):
            return False
        return isinstance(source, SparseDense) or not format_of(node.get_attr("function"), "").relu

    def transform(self, model: Any, node: Any) -> bool:
        """Note its format at the layer and remove it."""
        source = node.get_input_node()
        form = format_of(node.get_attr("function"), f"layer {node.name!r}")
        source.set_attr("output", form.fixed)
        source.set_attr("relu", bool(source.get_attr("relu")) or form.relu)
        model.remove_node(node)
        return True


class AbsorbRelu(OptimizerPass):  # type: ignore[misc]
    """A plain ReLU after a Dense layer is part of it."""

    def match(self, node: Any) -> bool:
        """A ReLU behind a Dense layer without an output format."""
        if not isinstance(node, Activation) or node.get_attr("activation") != "relu":
            return False
        source = node.get_input_node()
        return isinstance(source, SparseDense) and source.get_attr("output") is None and _one_reader(source)

    def transform(self, model: Any, node: Any) -> bool:
        """Note it at the layer and remove it."""
        node.get_input_node().set_attr("relu", True)
        model.remove_node(node)
        return True


class AbsorbSoftmax(OptimizerPass):  # type: ignore[misc]
    """A softmax at the end changes no class: the host computes it, from exact sums."""

    def match(self, node: Any) -> bool:
        """A softmax over the last axis that is the model's output, behind a Dense layer's exact sum."""
        if not isinstance(node, Activation) or node.get_attr("activation") != "softmax":
            return False
        source = node.get_input_node()
        last = bool(set(node.outputs) & set(node.model.outputs)) and node.get_attr("axis", -1) == -1
        return last and isinstance(source, SparseDense) and not source.get_attr("softmax") and _one_reader(source)

    def transform(self, model: Any, node: Any) -> bool:
        """Note it at the layer and remove it."""
        node.get_input_node().set_attr("softmax", True)
        model.remove_node(node)
        return True
