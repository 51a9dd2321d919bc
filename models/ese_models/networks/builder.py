# SPDX-License-Identifier: Apache-2.0
"""QKeras networks that the engine can run: an input quantizer, recurrent and fully connected layers, softmax.

The formats are those of the engine (numerics.md): a vector element has at most 16 bits, the product of a gate and
the cell activation is exact in 16 bits, and sums are not rounded. The input quantizer is a QActivation layer of the
model, so that the converter knows the format of the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
from qkeras import (
    QGRU,
    QLSTM,
    QActivation,
    QBidirectional,
    QDense,
    quantized_bits,
    quantized_relu,
    quantized_sigmoid,
    quantized_tanh,
)

from ese_host.errors import UnsupportedError
from ese_models.networks.mask_constraint import MaskConstraint
from ese_models.networks.qlstmp import QLSTMP
from ese_models.quantizers import Codebook, MaskedInt4, MaskedTernary, Ttq, Twn

Weights = Literal["float", "ternary", "twn", "ttq", "int4", "codebook4"]
Mask = npt.NDArray[np.bool_]
QUANTIZERS = ("ternary", "twn", "ttq", "int4", "codebook4")


@dataclass(frozen=True)
class Formats:
    """Formats of a network's quantizers, as pairs (bits, integer bits) in QKeras's counting.

    The bits include the sign, the integer bits do not. The default is the smooth network with 16-bit input and state
    and 8-bit activation tables.

    Attributes:
        source: of the input.
        state: of the recurrent layers' h (or y) and of an LSTM's stored c.
        bias: of biases and peepholes.
        hidden: of the ReLU between fully connected layers, which is unsigned.
        gate_bits: bits of the gates' activation.
        cell_bits: bits of the cell's activation.
        smooth: whether the activations are tanh and sigmoid; otherwise they are piecewise linear.
        scales: keyword arguments of the weight quantizers; a codebook takes none.
        codebook_bits: bits of a codebook's index.

    Raises:
        UnsupportedError: if a format has fewer than 2 or more than 16 bits, or gate and cell activation together have
            more than 16.
    """

    source: tuple[int, int] = (16, 3)
    state: tuple[int, int] = (16, 4)
    bias: tuple[int, int] = (16, 3)
    hidden: tuple[int, int] = (8, 4)
    gate_bits: int = 8
    cell_bits: int = 8
    smooth: bool = True
    scales: Mapping[str, Any] = field(default_factory=dict)
    codebook_bits: int = 4

    def __post_init__(self) -> None:
        for name in ("source", "state", "bias", "hidden"):
            if not 2 <= getattr(self, name)[0] <= 16:
                raise UnsupportedError(f"{name} quantizer has {getattr(self, name)[0]} bits; 2 to 16 are allowed")
        if self.gate_bits + self.cell_bits > 16:
            raise UnsupportedError(
                f"gate and cell activation have {self.gate_bits} + {self.cell_bits} bits; their product o * tanh(c) "
                "may have at most 16"
            )

    @classmethod
    def hard(cls) -> Formats:
        """The 8-bit network with hard activations and power-of-two scales, on which Keras's float32 is exact."""
        return cls((8, 3), (8, 2), (8, 2), smooth=False, scales={"power_of_two": True})


@dataclass(frozen=True)
class Topology:
    """Layers of a network.

    Attributes:
        lstm: cells of each LSTM layer, from the input on.
        gru: cells of each GRU layer, behind the LSTM layers; without recurrent layers the network classifies vectors.
        dense: widths of the fully connected layers with ReLU that stand before the last layer.
        projection: width of the LSTM layers' recurrent projection (QLSTMP); 0 selects QLSTM, without projection.
        peepholes: whether QLSTMP has peepholes.
        bidirectional: whether a second LSTM or GRU in each layer reads the sequence backward; the outputs are
            concatenated.
        framewise: whether every frame is classified; otherwise the sequence is, by its last frame.
        dropout: share of the last layer's inputs that is dropped in training, from 0 to below 1.

    Raises:
        UnsupportedError: if a size is below 1, the dropout is not allowed, or an option needs a recurrent layer and
            there is none.
    """

    lstm: tuple[int, ...] = ()
    gru: tuple[int, ...] = ()
    dense: tuple[int, ...] = ()
    projection: int = 0
    peepholes: bool = True
    bidirectional: bool = False
    framewise: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if min((*self.lstm, *self.gru, *self.dense), default=1) < 1 or self.projection < 0:
            raise UnsupportedError(
                f"LSTM {self.lstm}, GRU {self.gru}, dense {self.dense}, projection {self.projection}: a layer has at "
                "least one unit"
            )
        if not self.recurrent and (self.framewise or self.bidirectional):
            raise UnsupportedError(
                "framewise and bidirectional need a recurrent layer; give the cells of one in lstm or gru"
            )
        if not self.lstm and self.projection:
            raise UnsupportedError("projection needs an LSTM layer; give the cells of one in lstm")
        if not 0 <= self.dropout < 1:
            raise UnsupportedError(f"dropout is {self.dropout}; 0 or more, below 1 is allowed")

    @property
    def recurrent(self) -> tuple[tuple[str, str, int], ...]:
        """Kind, "lstm" or "gru", name and cells of each recurrent layer, from the input on."""
        kinds = {"lstm": self.lstm, "gru": self.gru}
        return tuple(
            (kind, name, units)
            for kind, cells in kinds.items()
            for name, units in zip(_named(kind, len(cells)), cells, strict=True)
        )

    @property
    def fully_connected(self) -> list[str]:
        """Names of the fully connected layers."""
        return _named("dense", len(self.dense) + 1)


def _named(kind: str, count: int) -> list[str]:
    """Names of the layers of a kind: the kind, followed by a number from 1 if there are more."""
    return [kind] if count == 1 else [f"{kind}{number + 1}" for number in range(count)]


def network(
    topology: Topology,
    *,
    features: int,
    outputs: int,
    steps: int | None = None,
    weights: Weights = "float",
    masks: Mapping[str, Mask] | None = None,
    formats: Formats | None = None,
    unroll: bool = False,
) -> Any:
    """Build a network: Input -> QActivation -> recurrent layers -> QDense layers -> softmax.

    Args:
        topology: its layers.
        features: width of the input.
        outputs: number of classes.
        steps: frames of a sequence; None leaves the number open.
        weights: kind of the kernels' quantizers; "float" leaves the kernels unquantized (the dense stage).
        masks: kernel name (`inspection.kernels`) -> (inputs, outputs) mask in Keras layout; kernels without a mask keep
            all weights.
        formats: quantizers of everything but the kernels; `Formats()` by default.
        unroll: whether the time loop is unrolled; this changes only the speed of training.

    Returns:
        A `keras.Sequential` without an optimizer. Its input is (batch, steps, features), or (batch, features) without
        recurrent layers; its output is (batch, outputs) probabilities, or (batch, steps, outputs) frame by frame.
    """
    form = formats or Formats()
    maker = _Layers(form, weights, dict(masks or {}))
    shape = (steps, features) if topology.recurrent else (features,)
    layers = [keras.Input(shape), QActivation(fixed(form.source), name="source")]
    width = features
    last = len(topology.recurrent) - 1
    for index, (kind, name, units) in enumerate(topology.recurrent):
        options = {"return_sequences": topology.framewise or index < last, "unroll": unroll}
        layers.append(maker.recurrent(kind, name, width, units, topology, options))
        projected = topology.projection if kind == "lstm" else 0
        width = (projected or units) * (2 if topology.bidirectional else 1)
    *hidden, final = topology.fully_connected
    for name, units in zip(hidden, topology.dense, strict=True):
        layers += [maker.dense(name, width, units)]
        layers += [QActivation(quantized_relu(*form.hidden), name=f"{name}_relu")]
        width = units
    if topology.dropout:
        layers.append(keras.layers.Dropout(topology.dropout, name="dropout"))
    layers.append(maker.dense(final, width, outputs))
    return keras.Sequential([*layers, keras.layers.Activation("softmax", name="softmax")])


def classifier(*, units: int = 64, outputs: int = 9, steps: int | None = 29, features: int = 12, **options: Any) -> Any:
    """Build the smallest network: Input -> QActivation -> QLSTM -> QDense -> softmax.

    Args:
        units: cells of the LSTM layer.
        outputs: number of classes.
        steps: frames of a sequence; None leaves the number open.
        features: width of the input.
        options: further arguments of `network`.
    """
    return network(Topology((units,)), features=features, outputs=outputs, steps=steps, **options)


def weight_quantizer(weights: Weights, shape: tuple[int, int], formats: Formats) -> Any:
    """A new quantizer for one kernel, or None for float weights.

    Args:
        weights: kind of the weights.
        shape: of the kernel, (inputs, outputs).
        formats: gives the arguments of the quantizer.
    """
    plain = {"ternary": MaskedTernary, "int4": MaskedInt4}
    learned = {"twn": Twn, "ttq": Ttq}
    if weights in plain:
        return plain[weights](**formats.scales)
    if weights in learned:
        return learned[weights](shape, **formats.scales)
    return Codebook(shape, formats.codebook_bits) if weights == "codebook4" else None


def fixed(pair: tuple[int, int]) -> Any:
    """A signed fixed-point quantizer of (bits, integer bits)."""
    return quantized_bits(pair[0], pair[1], alpha=1)


@dataclass(frozen=True)
class _Layers:
    """Builds the layers of a network with their quantizers and masks."""

    form: Formats
    weights: Weights
    masks: Mapping[str, Mask]

    def dense(self, name: str, inputs: int, units: int) -> Any:
        # QDense acts on the last axis, and so on every frame of a sequence. TimeDistributed would do the same, but
        # Keras 3.15 unrolls it over known steps, and mistakes the batch for the steps if these are unknown.
        return QDense(
            units,
            kernel_quantizer=self._quantizer(inputs, units),
            bias_quantizer=fixed(self.form.bias),
            kernel_constraint=self._constraint(f"{name}/kernel", inputs, units),
            name=name,
        )

    def recurrent(
        self, kind: str, name: str, inputs: int, units: int, topology: Topology, options: Mapping[str, Any]
    ) -> Any:
        make = self._gru if kind == "gru" else self._lstm
        if not topology.bidirectional:
            return make(name, inputs, units, topology, options)
        ways = [
            make(f"{way}_{name}", inputs, units, topology, {**options, "go_backwards": way == "backward"})
            for way in ("forward", "backward")
        ]
        return QBidirectional(ways[0], backward_layer=ways[1], name=name)

    def _common(self, name: str, inputs: int, fed_back: int, rows: int) -> dict[str, Any]:
        """The arguments that recurrent layers of all kinds have."""
        form = self.form
        return {
            "activation": quantized_tanh(form.cell_bits, use_real_tanh=form.smooth),
            "recurrent_activation": quantized_sigmoid(form.gate_bits, use_real_sigmoid=form.smooth),
            "kernel_quantizer": self._quantizer(inputs, rows),
            "recurrent_quantizer": self._quantizer(fed_back, rows),
            "bias_quantizer": fixed(form.bias),
            "state_quantizer": fixed(form.state),
            "kernel_constraint": self._constraint(f"{name}/kernel", inputs, rows),
            "recurrent_constraint": self._constraint(f"{name}/recurrent_kernel", fed_back, rows),
        }

    def _gru(self, name: str, inputs: int, units: int, _topology: Topology, options: Mapping[str, Any]) -> Any:
        layer = QGRU(
            units, implementation=2, reset_after=True, **self._common(name, inputs, units, 3 * units), **options
        )
        layer.name = name  # a name given to QGRU becomes its cell's
        return layer

    def _lstm(self, name: str, inputs: int, units: int, topology: Topology, options: Mapping[str, Any]) -> Any:
        form = self.form
        common = {**self._common(name, inputs, topology.projection or units, 4 * units), **options}
        if topology.projection:
            return QLSTMP(
                units,
                topology.projection,
                use_peepholes=topology.peepholes,
                peephole_quantizer=fixed(form.bias),
                projection_quantizer=self._quantizer(units, topology.projection),
                projection_constraint=self._constraint(f"{name}/projection_kernel", units, topology.projection),
                name=name,
                **common,
            )
        layer = QLSTM(units, implementation=2, **common)
        layer.name = name  # a name given to QLSTM becomes its cell's
        return layer

    def _quantizer(self, inputs: int, outputs: int) -> Any:
        return weight_quantizer(self.weights, (inputs, outputs), self.form)

    def _constraint(self, name: str, inputs: int, outputs: int) -> MaskConstraint:
        return MaskConstraint(self.masks.get(name, np.ones((inputs, outputs), dtype=bool)))
