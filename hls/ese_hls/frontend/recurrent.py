# SPDX-License-Identifier: Apache-2.0
"""Readers of recurrent layers: LSTM with or without a projection, GRU, RNN of their cells, and Bidirectional."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ese_hls.frontend.call import Call, CallTensor, Node, is_known
from ese_hls.frontend.weighted_layers import weight
from ese_hls.quantize import LayerTensors, WeightTensor

LSTM_CELLS = ("LSTMCell", "QLSTMCell", "QLSTMPCell")
GRU_CELLS = ("GRUCell", "QGRUCell")
CELLS = (*LSTM_CELLS, *GRU_CELLS)
RECURRENT = ("LSTM", "QLSTM", "QLSTMP", "GRU", "QGRU", "RNN")
MERGES = {"concat": "concatenate", "sum": "add", "mul": "multiply", "ave": "average"}
"""Bidirectional's merge modes, and the operations that merge the two directions."""


def recurrent(call: Call) -> tuple[Node, ...]:
    """Read LSTM, QLSTM, QLSTMP, GRU, QGRU, and RNN of their cells: a node for each cell.

    Raises:
        UnsupportedError: if the layer has other cells, keeps or gets states, or if a state other than h is read.
    """
    layer, cells = call.layer, _cells(call)
    _check_states(call)
    sequences, zero = bool(layer.return_sequences), bool(getattr(layer, "zero_output_for_mask", False))
    if call.masked and zero and not sequences:
        raise call.refuse(
            "has zero_output_for_mask=True and gives only its last output, which Keras sets to zero where the last "
            "frame is masked; only False is allowed here: build the layer with zero_output_for_mask=False"
        )
    nodes: list[Node] = []
    source = call.inputs
    for index, cell in enumerate(cells):
        last = index == len(cells) - 1
        steps = CallTensor(f"{call.outputs[0].name}_{index}", (call.inputs[0].shape[0], int(cell.output_size)))
        output = call.outputs[0] if last else steps
        name = call.name if len(cells) == 1 else f"{call.name}_{cell.name}"
        node = call.node(
            "SparseGRU" if _is_gru(cell) else "SparseLSTM",
            source,
            output,
            name,
            return_sequences=sequences or not last,
            backwards=bool(layer.go_backwards) and index == 0,
            masked=call.masked,
            zero_masked=zero and last,
            tensors=_tensors(replace(call, name=name), cell),
        )
        nodes.append(node)
        source = (output,)
    if layer.return_state:
        nodes += _last_output(call, nodes[-1], zero, 1 if _is_gru(cells[-1]) else 2)
    return tuple(nodes)


def _cells(call: Call) -> list[Any]:
    """The cells of a recurrent layer, which must be cells of LSTM or GRU."""
    cell = call.layer.cell
    cells = list(cell.cells) if type(cell).__name__ == "StackedRNNCells" else [cell]
    for cell in cells:
        if type(cell).__name__ not in CELLS or not is_known(type(cell)):
            raise call.refuse(
                f"has a cell of class {type(cell).__name__}; {', '.join(CELLS[:-1])} and {CELLS[-1]} are allowed: use "
                "one of them"
            )
    return cells


def _is_gru(cell: Any) -> bool:
    return type(cell).__name__ in GRU_CELLS


def _check_states(call: Call) -> None:
    """Refuse a layer that keeps its states or starts with other states than zero."""
    if call.layer.stateful:
        raise call.refuse(
            "has stateful=True; only False is allowed, since every sequence starts with states of zero: build the "
            "layer with stateful=False, and pass whole sequences"
        )
    states: list[Any] = []
    for item in (call.kwargs.get("initial_state"), *call.args[1:2]):
        states += item if isinstance(item, (list, tuple)) else [] if item is None else [item]
    if len(call.inputs) > 1 or any(isinstance(state, CallTensor) or np.any(np.asarray(state)) for state in states):
        raise call.refuse(
            "is called with an initial state; the engine starts with states of zero: call the layer with one tensor"
        )


def _last_output(call: Call, node: Node, zero: bool, states: int) -> list[Node]:
    """The state h that a layer returns, if the model reads it: the layer's last output.

    Args:
        call: the layer's call.
        node: the node of its last cell, which also provides h if it gives only its last output.
        zero: whether outputs of masked frames are zero.
        states: states of its last cell, of which h is the first one.

    Raises:
        UnsupportedError: if the model reads another state.
    """
    h = call.outputs[-states]
    for state in call.outputs[1:]:
        if state is not h and state.name in call.used:
            raise call.refuse(
                "returns a state that the model reads; of the states only h of the last cell is allowed, since it is "
                "the last output: build the layer with return_state=False, or use only its output and h"
            )
    if h.name not in call.used:
        return []
    if not node["return_sequences"]:
        node["output_keras_tensor_names"].append(h.name)
        return []
    if call.masked and zero:
        raise call.refuse(
            "returns h and sequences that are zero where frames are masked; h is allowed only without such zeros: "
            "build the layer with return_sequences=False or return_state=False"
        )
    return [call.node("HostStep", (call.outputs[0],), h, f"{call.name}_h", operation="slice", key=(-1, slice(None)))]


def _tensors(call: Call, cell: Any) -> LayerTensors:
    """The weights and quantizers of a cell."""

    def optional(name: str) -> WeightTensor | None:
        array = f"{name}_kernel"
        return None if getattr(cell, array, None) is None else weight(call, cell, array, name)

    return LayerTensors(
        class_name=call.kind,
        kernel=weight(call, cell, "kernel", "kernel"),
        recurrent=weight(call, cell, "recurrent_kernel", "recurrent"),
        bias=weight(call, cell, "bias", "bias") if cell.use_bias else None,
        peepholes=optional("peephole"),
        projection=optional("projection"),
        product=getattr(cell, "output_quantizer_internal", None),
        state=getattr(cell, "state_quantizer_internal", None),
        activation=cell.activation,
        recurrent_activation=cell.recurrent_activation,
        reset_after=_is_gru(cell) and bool(cell.reset_after),
    )


def without_gates(call: Call) -> tuple[Node, ...]:
    """Refuse SimpleRNN and QSimpleRNN.

    Raises:
        UnsupportedError: always.
    """
    other = "QGRU or QLSTM" if call.kind.startswith("Q") else "GRU or LSTM"
    raise call.refuse(
        f"is a recurrent layer without gates; the engine has the cells of LSTM and GRU: train the model with {other} "
        "in its place"
    )


def bidirectional(call: Call) -> tuple[Node, ...]:
    """Read Bidirectional: the nodes of two layers, a reversal of the second one's outputs, and a merge of both.

    Keras reverses the outputs of `backward_layer`, whichever of the two layers has `go_backwards`.

    Raises:
        UnsupportedError: if it wraps another layer than those in `RECURRENT`, or one of them is refused.
    """
    wrapper = call.layer
    pair = (wrapper.forward_layer, wrapper.backward_layer)
    for layer in pair:
        if type(layer).__name__ not in RECURRENT or not is_known(type(layer)):
            raise call.refuse(
                f"wraps {type(layer).__name__}; {', '.join(RECURRENT[:-1])} and {RECURRENT[-1]} are allowed: use one "
                "of them"
            )
    if call.masked and pair[0].go_backwards and pair[0].return_sequences:
        raise call.refuse(
            "gets a mask and returns sequences, and its forward_layer runs backwards, whose masked frames Keras does "
            "not put in order; only backward_layer may run backwards here: build forward_layer with go_backwards=False"
        )
    nodes: list[Node] = []
    merged = wrapper.merge_mode is not None
    states = call.outputs[1 if merged else 2 :]
    ends: list[CallTensor] = []
    for index, layer in enumerate(pair):
        name = f"{call.name}_{'backward' if index else 'forward'}"
        inner = replace(call, layer=layer, name=name)
        width = int(_cells(inner)[-1].output_size)
        shape = (*call.inputs[0].shape[:-1], width) if layer.return_sequences else (width,)
        end = CallTensor(f"{call.outputs[0].name}_{name}", shape) if merged else call.outputs[index]
        turns = index == 1 and layer.return_sequences
        first = CallTensor(f"{end.name}_turned", shape) if turns else end
        half = len(states) // 2
        nodes += recurrent(replace(inner, outputs=(first, *states[index * half : (index + 1) * half])))
        if turns:
            nodes.append(call.node("HostStep", (first,), end, f"{name}_in_order", operation="reverse"))
        ends.append(end)
    if merged:
        # Keras 3 takes the forward layer's width twice, which is wrong if the two layers differ in it.
        widths = [end.shape[-1] or 0 for end in ends]
        last = sum(widths) if wrapper.merge_mode == "concat" else widths[0]
        output = replace(call.outputs[0], shape=(*call.outputs[0].shape[:-1], last))
        nodes.append(call.node("HostStep", tuple(ends), output, operation=MERGES[wrapper.merge_mode], axis=-1))
    return tuple(nodes)
