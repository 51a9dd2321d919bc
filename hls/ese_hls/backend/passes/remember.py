# SPDX-License-Identifier: Apache-2.0
"""The pass that records the model's layers before any is absorbed, so that `trace` can return values by their names."""

from __future__ import annotations

from typing import Any

from hls4ml.model.layers import Activation, Input
from hls4ml.model.optimizer import ModelOptimizerPass
from hls4ml.utils.string_utils import convert_to_snake_case

from ese_hls.backend.described import described
from ese_hls.emulate import KerasLayer, Kind, interface_of
from ese_hls.quantize import is_format
from ese_host.bundle import PROVENANCE
from ese_host.interface import Extents, ModelInterface

HLS4ML_CLASSES = {"elu": "ELU", "leaky_relu": "LeakyReLU", "hard_sigmoid": "HardActivation", "softmax": "Softmax"}
"""Classes that hls4ml gives an Activation layer of one of these functions."""


class RememberLayers(ModelOptimizerPass):  # type: ignore[misc]
    """Records layers, classes and interface as `ese_layers` and so on, and makes the model an `EseGraph`."""

    def __init__(self) -> None:
        self.name = "remember_layers"

    def transform(self, model: Any) -> bool:
        """Record the layers in the order of the graph, and check the samples that the user gave.

        Nodes get the attributes `class_name` and `strategy` as with hls4ml's own backends, for users who read them.

        Raises:
            FormatError: if the samples do not fit the model's inputs.
        """
        from ese_hls.graph.model_graph import (
            EseGraph,  # not at the top: hls4ml loads backends while its module of graphs is half imported
        )

        owner = {output: node.name for node in model.graph.values() for output in node.outputs}
        model.ese_layers = tuple(
            KerasLayer(
                node.name,
                _kind(node),
                () if isinstance(node, Input) else tuple(owner[name] for name in node.inputs),
                node.get_attr("function"),
                str(node.get_attr("keras_class") or node.class_name),
                tuple(node.get_attr("extents") or ()),
            )
            for node in model.graph.values()
        )
        model.ese_interface = _interface(model, owner)
        model.ese_classes = {node.name: node.class_name for node in model.graph.values()}
        for node in model.graph.values():
            node.set_attr("class_name", _hls4ml_class(node))
            node.set_attr("strategy", convert_to_snake_case(model.config.get_strategy(node)))
        _read_samples(model)
        model.__class__ = EseGraph
        return True


def _interface(model: Any, owner: dict[str, str]) -> ModelInterface:
    """The interface of the Keras model, with what the user says of it.

    Args:
        model: the graph.
        owner: names of the nodes, by the names of their outputs.
    """
    config = model.config.config
    keras_model = config.get("KerasModel")
    makers = [model.graph[owner[name]] for name in model.outputs]
    given = getattr(keras_model, "output_names", None) or [maker.name for maker in makers]
    outputs: dict[str, Extents] = {}
    for name, maker in zip(given, makers, strict=True):
        candidates = (name, *(f"{name}_{number}" for number in range(len(makers))))  # a tensor may be an output twice
        own = next(candidate for candidate in candidates if candidate not in outputs)
        outputs[own] = tuple(maker.get_attr("extents") or ())
    inputs = {name: tuple(model.graph[name].get_attr("extents") or ()) for name in model.inputs}
    record = (config.get("ESEFiles") or {}).get(PROVENANCE)
    interface = interface_of(inputs, outputs, keras_model)
    return described(interface, config.get("ESEClasses"), config.get("ESEScaling"), record)


def _read_samples(model: Any) -> None:
    """Replace the samples of `calibration` and `test` in the configuration by float32 arrays, by name of the input."""
    config = model.config.config
    if config.get("ESECalibration") is not None:
        config["ESECalibration"] = model.ese_interface.samples(config["ESECalibration"], "calibration")
    if config.get("ESETest") is not None:
        x, y = config["ESETest"]
        config["ESETest"] = model.ese_interface.samples(x, "x of test"), y


def _hls4ml_class(node: Any) -> str:
    """The class that hls4ml's other backends show in a node's attribute `class_name`, which users read."""
    kind = str(node.get_attr("keras_class") or node.class_name)
    return HLS4ML_CLASSES.get(str(node.get_attr("activation")), kind) if kind == "Activation" else kind


def _kind(node: Any) -> Kind:
    if isinstance(node, Input):
        return "input"
    if not isinstance(node, Activation):
        return "reverse" if node.get_attr("operation") == "reverse" else "other"
    activation = node.get_attr("activation")
    if activation in ("linear", "relu", "softmax"):
        return activation  # type: ignore[no-any-return]
    return "format" if is_format(node.get_attr("function")) else "other"
