"""The last passes: refuse by name what is left unmapped, then turn the graph into integers."""

from __future__ import annotations

from typing import Any

from hls4ml.model.layers import Activation, Input
from hls4ml.model.optimizer import ModelOptimizerPass

from ese_hls.convert import convert
from ese_hls.formats import describe
from ese_hls.layers import SparseLSTM, SparseNode
from ese_hls.options import options_from
from ese_host.errors import UnsupportedError
from ese_host.fixed import Fixed

THRESHOLDS = {"DeltaInput": "delta_input", "DeltaState": "delta_state"}
"""Keys of an LSTM layer's configuration: the change beyond which an input or a fed-back output takes part in a step."""
MAPPED = "QLSTM, QDense, Dropout, quantizers after the input and after layers, ReLU after QDense, a final softmax"


class RefuseUnmapped(ModelOptimizerPass):  # type: ignore[misc]
    """Nothing is dropped and nothing becomes dense in silence: what no pass mapped is refused by name."""

    def __init__(self) -> None:
        self.name = "refuse_unmapped"

    def transform(self, model: Any) -> bool:
        """Check that the graph is one input and a chain of mapped layers.

        Raises:
            UnsupportedError: a layer is left that the engine does not run, or the graph branches.
        """
        nodes = list(model.graph.values())
        for node in nodes:
            if not isinstance(node, (Input, SparseNode)):
                raise UnsupportedError(_refusal(node))
        names = [node.name for node in nodes if isinstance(node, Input)]
        if len(names) != 1 or len(model.outputs) != 1:
            raise UnsupportedError(
                f"the model has inputs {names} and outputs {list(model.outputs)}; one of each is allowed: "
                "split the model"
            )
        for node in nodes:
            readers = [reader.name for reader in node.get_output_nodes()]
            if len(readers) > 1:
                raise UnsupportedError(
                    f"layer {node.name!r} feeds {readers}; layers must form a chain: remove the branch"
                )
        return True


def _refusal(node: Any) -> str:
    kind = node.get_attr("keras_class") or node.get_attr("class_name") or node.class_name
    activation = node.get_attr("activation")
    if not isinstance(node, Activation):
        way_out = "replace the layer or leave it out"
        return f"layer {node.name!r} ({kind}) has no place in the engine; it runs {MAPPED}: {way_out}"
    function = node.get_attr("function")
    before = node.get_input_node()
    what = describe(function) if function is not None else activation
    advice = {
        "softmax": "it must be the last layer, over the last axis, behind a Dense layer",
        "relu": "it must follow a Dense layer",
    }.get(str(activation), "after a layer, quantized_bits(...) or (Dense) quantized_relu(...) are allowed, once")
    return f"layer {node.name!r} ({kind}, {what}) cannot stand after {before.name!r} ({before.class_name}): {advice}"


class ToNetwork(ModelOptimizerPass):  # type: ignore[misc]
    """Convert the mapped graph; the result is kept at the model as `ese_conversion`."""

    def __init__(self) -> None:
        self.name = "to_network"

    def transform(self, model: Any) -> bool:
        """Convert.

        Raises:
            UnsupportedError: see `ese_hls.convert.convert`.
        """
        config = model.config.config
        options = options_from(config["HLSConfig"].get("Model") or {}, config.get("ESE") or {})
        nodes = list(model.graph.values())
        notes = _read_layer_config(model, nodes)
        model.ese_conversion = convert(nodes, options, notes)
        return True


def _read_layer_config(model: Any, nodes: list[Any]) -> tuple[str, ...]:
    """Take the input's format from the configuration where the model has none; note what has no effect."""
    notes = []
    source = nodes[0]
    for name, settings in (model.config.config["HLSConfig"].get("LayerName") or {}).items():
        precision = settings.get("Precision") or {}
        chosen = precision if isinstance(precision, dict) else {"default": precision}
        chosen = {key: value for key, value in chosen.items() if value != "auto"}
        if name == source.name and source.get_attr("source") is None and "result" in chosen:
            form = model.config.backend.convert_precision_string(chosen.pop("result"))
            source.set_attr("source", Fixed(form.width, form.integer, bool(form.signed)))
            notes.append(f"input {name!r}: {form} from the configuration; rounded half to even, saturated")
        if chosen and name in model.graph:
            notes.append(f"layer {name!r}: Precision {chosen} has no effect; formats come from the model's quantizers")
        for key, attribute in THRESHOLDS.items():
            if settings.get(key) is not None:
                _set_threshold(model, name, key, attribute, settings[key])
        if settings.get("ReuseFactor", 1) != 1:
            raise UnsupportedError(
                f"hls_config['LayerName'][{name!r}]['ReuseFactor'] is {settings['ReuseFactor']}; parallelism is set by "
                "'PEs' of the whole model here: leave ReuseFactor at 1"
            )
    return tuple(notes)


def _set_threshold(model: Any, name: str, key: str, attribute: str, value: Any) -> None:
    """Note an LSTM's delta threshold at its node."""
    node = model.graph.get(name)
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    if not isinstance(node, SparseLSTM) or not number:
        raise UnsupportedError(
            f"hls_config['LayerName'][{name!r}][{key!r}] is {value!r}; an LSTM layer may have a threshold of zero or "
            "more, in units of the values themselves: correct or remove it"
        )
    node.set_attr(attribute, float(value))
