"""Passes that fold element-wise layers into the layer before them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hls4ml.model.layers import Activation, Input
from hls4ml.model.optimizer import OptimizerPass

from ese_hls.graph.nodes import HostStep, SparseDense, SparseLSTM, maker
from ese_hls.quantize import Format, format_of, is_format, is_sigmoidal
from ese_host.ir import ELEMENT_BITS


def _is_output(node: Any) -> bool:
    return bool(set(node.outputs) & set(node.model.outputs))


def _one_reader(source: Any) -> bool:
    """Whether one node alone reads `source`, which is no output of the model besides."""
    return len(source.get_output_nodes()) == 1 and not _is_output(source)


def _format(node: Any) -> Format | None:
    """The format of a node that only rounds and saturates; None of any other."""
    if not isinstance(node, Activation) or not is_format(node.get_attr("function")):
        return None
    return format_of(node.get_attr("function"), f"layer {node.name!r}")


def _fold(model: Any, node: Any, into: Any, how: str = "folded into") -> bool:
    """Remove a node whose work another one now does, and note that for the summary."""
    into.set_attr("folded", [*(into.get_attr("folded") or []), (node.name, node.get_attr("keras_class"), how)])
    model.remove_node(node)
    return True


def _is_projected(node: Any) -> bool:
    return isinstance(node, SparseLSTM) and node.get_attr("tensors").projection is not None


class RemoveIdentity(OptimizerPass):  # type: ignore[misc]
    """Dropout and linear activations do nothing at inference; a softmax with `skip: True` in hls_config is left out."""

    def match(self, node: Any) -> bool:
        """An activation that computes nothing, unless the model gives out both what it reads and what it makes."""
        if not isinstance(node, Activation):
            return False
        skipped = node.get_attr("activation") == "softmax" and bool(node.get_attr("skip", False))
        if node.get_attr("activation") != "linear" and not skipped:
            return False
        return not (_is_output(node) and (_is_output(source := node.get_input_node()) or isinstance(source, Input)))

    def transform(self, model: Any, node: Any) -> bool:
        """Remove it."""
        return _fold(model, node, node.get_input_node(), "left out behind")


class AbsorbReverse(OptimizerPass):  # type: ignore[misc]
    """A backward LSTM's outputs, turned round again behind it, are what the engine's chain hands back by itself."""

    def match(self, node: Any) -> bool:
        """A reversal behind a backward LSTM whose outputs are still reversed."""
        if not isinstance(node, HostStep) or node.get_attr("operation") != "reverse":
            return False
        source = node.get_input_node()
        return isinstance(source, SparseLSTM) and not source.get_attr("in_order") and _one_reader(source)

    def transform(self, model: Any, node: Any) -> bool:
        """Note the order at the layer and remove it."""
        source = node.get_input_node()
        source.set_attr("in_order", True)
        model.remove_node(node)
        return True


class FoldNormalization(OptimizerPass):  # type: ignore[misc]
    """A normalization behind a Dense layer's exact sum is a factor of its rows' scales, and part of its bias."""

    def match(self, node: Any) -> bool:
        """A normalization with positive factors (a scale has no sign) right behind a Dense layer."""
        if not isinstance(node, HostStep) or node.get_attr("operation") != "affine":
            return False
        source = node.get_input_node()
        bare = isinstance(source, SparseDense) and source.get_attr("output") is None
        return bare and _one_reader(source) and bool((np.asarray(node.get_attr("factor")) > 0).all())

    def transform(self, model: Any, node: Any) -> bool:
        """Note factor and offset at the layer and remove it."""
        source = node.get_input_node()
        factor, offset = source.get_attr("normalized") or (1.0, 0.0)
        own = node.get_attr("factor")
        source.set_attr("normalized", (factor * own, offset * own + node.get_attr("offset")))
        return _fold(model, node, source)


class AbsorbInputQuantizer(OptimizerPass):  # type: ignore[misc]
    """A quantizer right after the input is the format in which the engine reads it."""

    def match(self, node: Any) -> bool:
        """A format quantizer behind an input, which every other reader of that input rounds alike."""
        form = _format(node)
        source = node.get_input_node() if form is not None else None
        if form is None or not isinstance(source, Input) or _is_output(source):
            return False
        if source.get_attr("quantized"):
            return bool(source.get_attr("source") == form.fixed)
        return all(other == form for other in map(_format, source.get_output_nodes()))

    def transform(self, model: Any, node: Any) -> bool:
        """Note its format at the input and remove it."""
        source = node.get_input_node()
        source.set_attr("source", format_of(node.get_attr("function"), f"layer {node.name!r}").fixed)
        source.set_attr("quantized", True)
        return _fold(model, node, source, "is the format of")


class AbsorbQuantizer(OptimizerPass):  # type: ignore[misc]
    """A quantizer after an LSTM, a Dense layer or an activation is the format in which that hands its output on."""

    def match(self, node: Any) -> bool:
        """A format quantizer behind a layer that has no output format yet (ReLU belongs to Dense layers)."""
        form = _format(node)
        if form is None or form.fixed.bits > ELEMENT_BITS:
            return False
        source = maker(node.get_input_node())
        if source.get_attr("output") is not None or not _one_reader(node.get_input_node()):
            return False
        if _is_projected(source):  # its output has the state's format, which another one would round again
            state = source.get_attr("tensors").state
            return not form.relu and is_format(state) and format_of(state, "").fixed == form.fixed
        smooth = isinstance(source, Activation) and is_sigmoidal(source.get_attr("function"))
        return isinstance(source, SparseDense) or (not form.relu and (smooth or isinstance(source, SparseLSTM)))

    def transform(self, model: Any, node: Any) -> bool:
        """Note its format at the layer and remove it."""
        source = maker(node.get_input_node())
        form = format_of(node.get_attr("function"), f"layer {node.name!r}")
        if not _is_projected(source):
            source.set_attr("output", form.fixed)
            source.set_attr("relu", bool(source.get_attr("relu")) or form.relu)
        return _fold(model, node, source)


class AbsorbRelu(OptimizerPass):  # type: ignore[misc]
    """A plain ReLU after a Dense layer is part of it; its node stays, as in hls4ml's own backends, and does nothing."""

    def match(self, node: Any) -> bool:
        """A ReLU behind a Dense layer without an output format."""
        if not isinstance(node, Activation) or node.get_attr("activation") != "relu" or node.get_attr("absorbed"):
            return False
        source = node.get_input_node()
        return isinstance(source, SparseDense) and source.get_attr("output") is None and _one_reader(source)

    def transform(self, model: Any, node: Any) -> bool:  # noqa: ARG002 - hls4ml's signature
        """Note it at the layer."""
        node.get_input_node().set_attr("relu", True)
        node.set_attr("absorbed", True)
        return True
