# SPDX-License-Identifier: Apache-2.0
"""The last passes of a conversion: refuse layers that are not mapped, then convert the graph to a program."""

from __future__ import annotations

from typing import Any

from hls4ml.model.layers import Activation, Input
from hls4ml.model.optimizer import ModelOptimizerPass

from ese_hls.frontend import MAPPED
from ese_hls.graph.nodes import HostStep, SparseGRU, SparseNode, SparseRecurrent
from ese_hls.lower import ConversionLog, check_settings, options_from
from ese_host.errors import UnsupportedError

THRESHOLDS = {"DeltaInput": "delta_input", "DeltaState": "delta_state"}
"""Keys of a recurrent layer's configuration, and the node attributes that hold them.

In a delta network, an input or a fed-back output takes part in a step only if it has changed by more than its
threshold."""
OWN_VECTORS = {"InputData": "input_data_tb", "OutputPredictions": "output_data_tb"}
"""Keys of hls4ml's configuration for test vectors of the user, and the arguments that set them."""


class RefuseUnmapped(ModelOptimizerPass):  # type: ignore[misc]
    """Refuses a layer that neither engine nor host computes, so that none is dropped silently."""

    def __init__(self) -> None:
        self.name = "refuse_unmapped"

    def transform(self, model: Any) -> bool:
        """Check that the engine or the host computes every node.

        Raises:
            UnsupportedError: if neither computes a node.
        """
        for node in model.graph.values():
            if not isinstance(node, (Input, SparseNode, HostStep)) and not _is_activation(node):
                kind = node.get_attr("keras_class") or node.get_attr("class_name") or node.class_name
                raise UnsupportedError(
                    f"layer {node.name!r} ({kind}) has no place in the engine; it runs {MAPPED}: replace the layer or "
                    "leave it out"
                )
        return True


def _is_activation(node: Any) -> bool:
    """Whether this backend's own Keras handler made an activation node; those of hls4ml have no `extents`."""
    return isinstance(node, Activation) and node.get_attr("extents") is not None


class ToProgram(ModelOptimizerPass):  # type: ignore[misc]
    """Converts the mapped graph to a program, which the model holds as `ese_conversion`."""

    def __init__(self) -> None:
        self.name = "to_program"

    def transform(self, model: Any) -> bool:
        """Read the configuration and convert the graph.

        Raises:
            UnsupportedError: if the configuration is not allowed, or `lower.graph_to_program.convert` refuses the
                graph.
            CapacityError: if no engine holds the model.
            MismatchError: if the codes of a quantizer do not stand for the values that it computes, or an output that
                tells no classes has names of them.
        """
        from ese_hls.lower.graph_to_program import convert  # not at the top: it imports hls4ml, which loads this module
        from ese_hls.selfcheck import observed_ranges

        config = model.config.config
        for key, argument in OWN_VECTORS.items():
            if config.get(key) is not None:
                raise UnsupportedError(
                    f"{argument} is {config[key]!r}; the test bench has vectors of its own, with the golden model's "
                    "answers: leave it out"
                )
        settings = config["HLSConfig"]
        options = options_from(settings.get("Model") or {}, config.get("ESE") or {})
        log = ConversionLog()
        check_settings(settings, model.ese_classes, log)
        _read_thresholds(model)
        nodes = list(model.graph.values())
        ranges = observed_ranges(model)
        model.ese_conversion = convert(nodes, list(model.inputs), list(model.outputs), options, ranges, log)
        model.ese_interface.require_program(model.ese_conversion.program)
        return True


def _read_thresholds(model: Any) -> None:
    """Read thresholds of delta networks from the configuration of layers."""
    for name, settings in (model.config.config["HLSConfig"].get("LayerName") or {}).items():
        for key, attribute in THRESHOLDS.items():
            if settings.get(key) is not None:
                _set_threshold(model, name, key, attribute, settings[key])


def _set_threshold(model: Any, name: str, key: str, attribute: str, value: Any) -> None:
    """Set a delta threshold as an attribute of a recurrent layer's node, or refuse it."""
    node = model.graph.get(name)
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    where = f"hls_config['LayerName'][{name!r}][{key!r}] is {value!r}"
    if not isinstance(node, SparseRecurrent) or not number:
        raise UnsupportedError(
            f"{where}; an LSTM or GRU layer may have a threshold of zero or more, in the scale of the layer's float "
            "values: correct or remove it"
        )
    if isinstance(node, SparseGRU) and not node.get_attr("tensors").reset_after:
        raise UnsupportedError(
            f"{where}, and the layer is a GRU with reset_after=False, whose r * h would need a threshold of its own; a "
            "GRU with reset_after=True may have thresholds: build the layer so, or remove the key"
        )
    node.set_attr(attribute, float(value))
