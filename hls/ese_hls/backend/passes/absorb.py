# SPDX-License-Identifier: Apache-2.0
"""Passes that absorb element-wise layers into the layer before them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hls4ml.model.layers import Activation, Input
from hls4ml.model.optimizer import OptimizerPass

from ese_hls.graph.nodes import HostStep, SparseDense, SparseLSTM, SparseRecurrent, keras_tensors, maker
from ese_hls.quantize import Format, format_of, is_format, is_quantizer, is_sigmoidal
from ese_host.ir import ELEMENT_BITS, Fixed

FINE_FRAC, RANGE_BITS, WIDEST = 39, 8, 48
"""Fractional bits, least integer bits and most bits of an input that several quantizers read."""


def _is_output(node: Any) -> bool:
    return bool(set(node.outputs) & set(node.model.outputs))


def _one_reader(source: Any) -> bool:
    """Whether exactly one node reads `source`, and `source` is not an output of the model."""
    return len(source.get_output_nodes()) == 1 and not _is_output(source)


def _format(node: Any) -> Format | None:
    """The format of a node that only rounds and saturates, or None for any other node."""
    if not isinstance(node, Activation) or not is_format(node.get_attr("function")):
        return None
    return format_of(node.get_attr("function"), f"layer {node.name!r}")


def _fold(model: Any, node: Any, into: Any, how: str = "folded into") -> bool:
    """Remove a node whose work the node `into` does from now on.

    `how` is the text between the two names in the summary. Returns True: a pass says so that it changed the graph.
    """
    into.set_attr("folded", [*(into.get_attr("folded") or []), (node.name, node.get_attr("keras_class"), how)])
    _takes_value_of(into, node)
    model.remove_node(node)
    return True


def _takes_value_of(into: Any, node: Any) -> None:
    """Note that the value of `into` is from now on that of `node`, for the self-check."""
    identity, skipped = node.get_attr("activation") == "linear", bool(node.get_attr("skip", False))
    before, behind = keras_tensors(into), keras_tensors(node)
    into.set_attr("keras_tensors", before if skipped else [*before, *behind] if identity else behind)


def _is_projected(node: Any) -> bool:
    return isinstance(node, SparseLSTM) and node.get_attr("tensors").projection is not None


class RemoveIdentity(OptimizerPass):  # type: ignore[misc]
    """Removes dropout and linear activations, which do nothing at inference, and softmax if its `skip` is set."""

    def match(self, node: Any) -> bool:
        """Match an activation that computes nothing, unless both its input and its output are outputs of the model."""
        if not isinstance(node, Activation):
            return False
        skipped = node.get_attr("activation") == "softmax" and bool(node.get_attr("skip", False))
        if node.get_attr("activation") != "linear" and not skipped:
            return False
        return not (_is_output(node) and (_is_output(source := node.get_input_node()) or isinstance(source, Input)))

    def transform(self, model: Any, node: Any) -> bool:
        """Remove the activation."""
        return _fold(model, node, node.get_input_node(), "left out behind")


class AbsorbReverse(OptimizerPass):  # type: ignore[misc]
    """Absorbs the reversal of a backward layer's outputs, because the engine's chain returns them in input order."""

    def match(self, node: Any) -> bool:
        """Match a reversal behind a backward recurrent layer whose outputs are still reversed."""
        if not isinstance(node, HostStep) or node.get_attr("operation") != "reverse":
            return False
        source = node.get_input_node()
        backwards = isinstance(source, SparseRecurrent) and source.get_attr("backwards")
        turned = backwards and not source.get_attr("in_order")
        return bool(turned) and _one_reader(source)

    def transform(self, model: Any, node: Any) -> bool:
        """Note the order at the layer and remove the reversal."""
        source = node.get_input_node()
        source.set_attr("in_order", True)
        _takes_value_of(source, node)
        model.remove_node(node)
        return True


class FoldNormalization(OptimizerPass):  # type: ignore[misc]
    """Folds a normalization behind a Dense layer's exact sum into the scales of its rows and its bias."""

    def match(self, node: Any) -> bool:
        """Match a normalization right behind a Dense layer whose factors are positive, because scales have no sign."""
        if not isinstance(node, HostStep) or node.get_attr("operation") != "affine":
            return False
        source = node.get_input_node()
        bare = isinstance(source, SparseDense) and source.get_attr("output") is None
        return bare and _one_reader(source) and bool((np.asarray(node.get_attr("factor")) > 0).all())

    def transform(self, model: Any, node: Any) -> bool:
        """Note factor and offset at the Dense layer and remove the normalization."""
        source = node.get_input_node()
        factor, offset = source.get_attr("normalized") or (1.0, 0.0)
        node_factor = node.get_attr("factor")
        source.set_attr("normalized", (factor * node_factor, offset * node_factor + node.get_attr("offset")))
        return _fold(model, node, source)


class AbsorbInputQuantizer(OptimizerPass):  # type: ignore[misc]
    """Absorbs a quantizer right behind an input: its format becomes that in which the engine reads the input."""

    def match(self, node: Any) -> bool:
        """Match a format quantizer behind an input if all readers of that input have the same format."""
        form = _format(node)
        source = node.get_input_node() if form is not None else None
        if form is None or not isinstance(source, Input) or _is_output(source):
            return False
        if source.get_attr("quantized"):
            return bool(source.get_attr("source") == form.fixed)
        return all(other == form for other in map(_format, source.get_output_nodes()))

    def transform(self, model: Any, node: Any) -> bool:
        """Note the format at the input and remove the quantizer."""
        source = node.get_input_node()
        source.set_attr("source", format_of(node.get_attr("function"), f"layer {node.name!r}").fixed)
        source.set_attr("quantized", True)
        return _fold(model, node, source, "is the format of")


class ReadFinely(OptimizerPass):  # type: ignore[misc]
    """Gives an input so many fractional bits that quantizers behind it round as if they saw its float32 values.

    An input that several different quantizers read has no format of its own, and rounding it to one first would let
    ties fall to another side.
    """

    def match(self, node: Any) -> bool:
        """Match an input that only quantizers read, if they are not all of one format."""
        if not isinstance(node, Input) or node.get_attr("source") is not None or _is_output(node):
            return False
        readers = node.get_output_nodes()
        quantizers = [reader.get_attr("function") for reader in readers if isinstance(reader, Activation)]
        if not readers or len(quantizers) < len(readers) or not all(map(is_quantizer, quantizers)):
            return False
        forms = list(map(_format, readers))
        return None in forms or any(form != forms[0] for form in forms)

    def transform(self, model: Any, node: Any) -> bool:  # noqa: ARG002 - hls4ml's signature
        """Note the format at the input."""
        forms = [form.fixed for form in map(_format, node.get_output_nodes()) if form is not None]
        integer = max([RANGE_BITS, *(form.integer + 1 for form in forms)])
        node.set_attr("source", Fixed(min(integer + FINE_FRAC, WIDEST), integer))
        return True


class AbsorbQuantizer(OptimizerPass):  # type: ignore[misc]
    """Absorbs a quantizer behind a recurrent or Dense layer or an activation: it becomes the format of the output."""

    def match(self, node: Any) -> bool:
        """Match a format quantizer behind a layer without an output format; with ReLU only behind a Dense layer."""
        form = _format(node)
        if form is None or form.fixed.bits > ELEMENT_BITS:
            return False
        source = maker(node.get_input_node())
        if source.get_attr("output") is not None or not _one_reader(node.get_input_node()):
            return False
        if _is_projected(source):  # the output already has the state's format; any other format would round it again
            state = source.get_attr("tensors").state
            return not form.relu and is_format(state) and format_of(state, "").fixed == form.fixed
        smooth = isinstance(source, Activation) and is_sigmoidal(source.get_attr("function"))
        return isinstance(source, SparseDense) or (not form.relu and (smooth or isinstance(source, SparseRecurrent)))

    def transform(self, model: Any, node: Any) -> bool:
        """Note the format at the layer and remove the quantizer."""
        source = maker(node.get_input_node())
        form = format_of(node.get_attr("function"), f"layer {node.name!r}")
        if not _is_projected(source):
            source.set_attr("output", form.fixed)
            source.set_attr("relu", bool(source.get_attr("relu")) or form.relu)
        return _fold(model, node, source)


class AbsorbRelu(OptimizerPass):  # type: ignore[misc]
    """Absorbs a ReLU behind a Dense layer; its node stays, as in hls4ml's own backends, but computes nothing."""

    def match(self, node: Any) -> bool:
        """Match a ReLU behind a Dense layer without an output format."""
        if not isinstance(node, Activation) or node.get_attr("activation") != "relu" or node.get_attr("absorbed"):
            return False
        source = node.get_input_node()
        return isinstance(source, SparseDense) and source.get_attr("output") is None and _one_reader(source)

    def transform(self, model: Any, node: Any) -> bool:  # noqa: ARG002 - hls4ml's signature
        """Note the ReLU at the Dense layer."""
        node.get_input_node().set_attr("relu", True)
        node.get_input_node().set_attr("keras_tensors", [])
        node.set_attr("absorbed", True)
        return True
