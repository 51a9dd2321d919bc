# SPDX-License-Identifier: Apache-2.0
"""The kernels of any Keras model that can be pruned and quantized, wherever their layers stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
from qkeras import QGRU, QLSTM, QDense, QDenseBatchnorm, QSimpleRNN

from ese_host.errors import UnsupportedError
from ese_host.image import GruSize, LstmSize, MatrixSize
from ese_host.ir import Part
from ese_models.networks.qlstmp import QLSTMP, QLSTMPCell

DENSE = (keras.layers.Dense, QDense, QDenseBatchnorm)
LSTM = (keras.layers.LSTM, QLSTM)
GRU = (keras.layers.GRU, QGRU)
NO_ENGINE = (
    keras.layers.SimpleRNN, QSimpleRNN, keras.layers.ConvLSTM1D, keras.layers.ConvLSTM2D, keras.layers.Conv1D,
    keras.layers.Conv2D, keras.layers.Conv3D, keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D, keras.layers.MultiHeadAttention,
)  # fmt: skip
"""Layers with weights that neither the engine nor the host computes, so that a model with one cannot be built."""
_QUANTIZER = {"kernel": "kernel_quantizer", "recurrent_kernel": "recurrent_quantizer"}
_QUANTIZER["projection_kernel"] = "projection_quantizer"
_PARTS: dict[str, tuple[Part, ...]] = {
    "kernel": ("kernel",),
    "recurrent_kernel": ("recurrent", "candidate"),
    "projection_kernel": ("projection",),
}


@dataclass(frozen=True, eq=False)
class Kernel:
    """One kernel of a layer.

    Attributes:
        name: `<layer>/<kernel>`; layers of a model within the model are called `<model>_<layer>`.
        holder: the layer, or the cell of a recurrent layer, that has the kernel and its constraint as attributes.
        attribute: name of the kernel there: kernel, recurrent_kernel or projection_kernel.
    """

    name: str
    holder: Any
    attribute: str

    @property
    def variable(self) -> Any:
        """The Keras variable, (inputs, outputs).

        Raises:
            UnsupportedError: if the layer has not been built.
        """
        self._check_built()
        return getattr(self.holder, self.attribute)

    def _check_built(self) -> None:
        if not self.holder.built:
            raise UnsupportedError(
                f"layer {self.name.split('/')[0]!r} has no weights yet; call the model once, or give it an Input"
            )

    @property
    def quantizer(self) -> Any:
        """The kernel's quantizer, or None."""
        return getattr(self.holder, f"{_QUANTIZER[self.attribute]}_internal", None)

    @property
    def constraint(self) -> Any:
        """The constraint that the optimizer applies to the kernel after each step, or None."""
        return self.variable.constraint

    @property
    def matrices(self) -> dict[str, MatrixSize]:
        """Sizes of the engine's matrices that the kernel becomes, by name; see `engine_matrices`.

        Raises:
            UnsupportedError: if the layer has not been built.
        """
        self._check_built()
        layer = self.name.rsplit("/", 1)[0]
        return {f"{layer}/{name}": size for name, size in engine_matrices(self.holder, self.attribute).items()}

    def constrain(self, constraint: Any) -> None:
        """Replace the kernel's constraint."""
        # The optimizer reads the variable's constraint; the layer's own is what is saved with the model.
        self.variable.constraint = constraint
        setattr(self.holder, f"{self.attribute.removesuffix('_kernel')}_constraint", constraint)


def engine_matrices(holder: Any, attribute: str) -> dict[str, MatrixSize]:
    """Sizes of the engine's matrices that a kernel becomes, by name; they have the kernel's outputs in their order.

    A kernel becomes one matrix of its own name. The recurrent kernel of a GRU without `reset_after` becomes two:
    recurrent_kernel of z and r, which reads h, and candidate_kernel, which reads r * h.

    Args:
        holder: a layer, or the cell of a recurrent layer.
        attribute: name of the kernel there.
    """
    if isinstance(holder, keras.layers.GRUCell):
        sizes = GruSize(holder.kernel.shape[0], holder.units, holder.reset_after).matrices()
    elif isinstance(holder, (keras.layers.LSTMCell, QLSTMPCell)):
        sizes = LstmSize(holder.kernel.shape[0], holder.units, getattr(holder, "projection_units", 0)).matrices()
    else:
        inputs, outputs = getattr(holder, attribute).shape
        return {attribute: MatrixSize("kernel", outputs, inputs)}
    return {kernel_name(size.name): size for size in sizes if size.name in _PARTS[attribute]}


def kernel_name(part: Part) -> str:
    """The name that Keras has for a part of a layer, or would have for the candidate's."""
    return part if part == "kernel" else f"{part}_kernel"


def prunable(model: Any) -> dict[str, Kernel]:
    """Kernels of the Dense, LSTM and GRU layers of a model, by name, in the order of the model's layers.

    These layers are Dense, QDense, QDenseBatchnorm, LSTM, QLSTM, QLSTMP, GRU and QGRU, also within Bidirectional,
    QBidirectional, TimeDistributed, and models that are layers. Other layers have no kernel that the engine stores
    sparse.

    Args:
        model: a Keras or QKeras model, or one such layer.

    Raises:
        UnsupportedError: if there is no such layer, or two have the same name.
    """
    found: dict[str, Kernel] = {}
    seen: set[int] = set()
    for name, layer in leaves(model, "" if isinstance(model, keras.Model) else None):
        holder = getattr(layer, "cell", layer)
        attributes = ("kernel",) if type(layer) in DENSE else ("kernel", "recurrent_kernel")
        for attribute in (*attributes, *(("projection_kernel",) if type(layer) is QLSTMP else ())):
            kernel = Kernel(f"{name}/{attribute}", holder, attribute)
            if id(layer) not in seen and kernel.name in found:
                raise UnsupportedError(
                    f"two layers of the model are called {name!r}; their kernels need names of their own: give the "
                    "layers different names"
                )
            found[kernel.name] = kernel
        seen.add(id(layer))
    if not found:
        layers = getattr(model, "layers", [model])
        raise UnsupportedError(
            f"the model has the layers {', '.join(type(layer).__name__ for layer in layers)}; only kernels of Dense, "
            "QDense, LSTM, QLSTM, QLSTMP, GRU and QGRU are pruned, and it has none of these"
        )
    return found


def leaves(layer: Any, name: str | None = None) -> Iterator[tuple[str, Any]]:
    """Name and layer of each layer in a layer or model whose kernels are `prunable`."""
    name = layer.name if name is None else name
    if isinstance(layer, keras.Model):
        prefix = "" if name == "" else f"{name}_"
        for inner in layer.layers:
            yield from leaves(inner, f"{prefix}{inner.name}")
    elif isinstance(layer, keras.layers.Bidirectional):
        yield from leaves(layer.forward_layer, f"forward_{name}")
        yield from leaves(layer.backward_layer, f"backward_{name}")
    elif isinstance(layer, keras.layers.TimeDistributed):
        yield from leaves(layer.layer, name)
    elif type(layer) in (*DENSE, *LSTM, *GRU, QLSTMP):
        yield name, layer


def check_layers(model: Any) -> None:
    """Refuse a model with a layer that could not be built afterwards; it is said before minutes of training.

    Raises:
        UnsupportedError: if there is such a layer; the message names it.
    """
    for layer in getattr(model, "layers", ()):
        inner = [getattr(layer, name, None) for name in ("layer", "forward_layer", "backward_layer")]
        for part in (layer, *(item for item in inner if item is not None)):
            if isinstance(part, NO_ENGINE):
                raise UnsupportedError(
                    f"layer {layer.name!r} is a {type(part).__name__}; the engine has LSTM, GRU and Dense layers: "
                    "replace it, or compress the part of the model behind it"
                )
        check_layers(layer)
