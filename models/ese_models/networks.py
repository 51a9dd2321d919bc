"""QKeras networks that the engine can run: an input quantizer, QLSTM, QDense, softmax.

Formats are the engine's (docs/numerics.md): every vector element has at most 16 bits, gates times cell activation
is exact in 16 bits, sums are not rounded. The network's input quantizer stands in the model, as a QActivation, so that
the converter knows the input's format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
from qkeras import QLSTM, QActivation, QDense, quantized_bits, quantized_sigmoid, quantized_tanh

from ese_host.errors import FormatError, MissingError, UnsupportedError
from ese_models.constraints import MaskConstraint
from ese_models.quantizers import Codebook, MaskedInt4, MaskedTernary, Ttq, Twn

Weights = Literal["float", "ternary", "twn", "ttq", "int4", "codebook4"]
Mask = npt.NDArray[np.bool_]
QUANTIZERS = ("ternary", "twn", "ttq", "int4", "codebook4")
KERNELS = ("lstm/kernel", "lstm/recurrent_kernel", "dense/kernel")
"""Names of the masked matrices, as masks, provenance and messages use them."""


@dataclass(frozen=True)
class Formats:
    """Quantizers of a network, in QKeras's counting: `integer` bits leave out the sign.

    The default is the smooth network: 16-bit input and state, 8-bit tables. `hard()` has 8 bits throughout, hard
    activations and power-of-two scales: on it Keras's float32 is exact. `scales` are arguments of the weight quantizers
    (codebooks have none), `codebook_bits` those of a codebook's index.
    """

    source: tuple[int, int] = (16, 3)
    state: tuple[int, int] = (16, 4)
    bias: tuple[int, int] = (16, 3)
    gate_bits: int = 8
    cell_bits: int = 8
    smooth: bool = True
    scales: Mapping[str, Any] = field(default_factory=dict)
    codebook_bits: int = 4

    def __post_init__(self) -> None:
        for name in ("source", "state", "bias"):
            if not 2 <= getattr(self, name)[0] <= 16:
                raise UnsupportedError(f"{name} quantizer has {getattr(self, name)[0]} bits; the engine holds 2 to 16")
        if self.gate_bits + self.cell_bits > 16:
            raise UnsupportedError(f"gate and cell have {self.gate_bits} + {self.cell_bits} bits; o * tanh(c) holds 16")

    @classmethod
    def hard(cls) -> Formats:
        """The 8-bit network with hard activations."""
        return cls((8, 3), (8, 2), (8, 2), smooth=False, scales={"power_of_two": True})


def classifier(
    *,
    units: int = 64,
    outputs: int = 9,
    steps: int = 29,
    features: int = 12,
    weights: Weights = "float",
    masks: Mapping[str, Mask] | None = None,
    formats: Formats | None = None,
    unroll: bool = False,
) -> Any:
    """A sequence classifier: Input -> QActivation -> QLSTM -> QDense -> softmax.

    Args:
        units: LSTM cells.
        outputs: classes.
        steps: frames of a sequence.
        features: width of a frame.
        weights: kind of the three kernels; "float" leaves them unquantized (the dense stage).
        masks: kernel name (`KERNELS`) -> (inputs, outputs) mask in Keras layout; those missing keep all weights.
        formats: quantizers of everything but the kernels.
        unroll: unroll the time loop (training speed alone).

    Returns:
        An unbuilt-optimizer `keras.Sequential` with layers named source, lstm, dense, softmax; input
        (batch, steps, features), output (batch, outputs) probabilities.
    """
    form = formats or Formats()
    given = dict(masks or {})
    shapes = dict(zip(KERNELS, ((features, 4 * units), (units, 4 * units), (units, outputs)), strict=True))

    def constraint(name: str) -> MaskConstraint:
        return MaskConstraint(given.get(name, np.ones(shapes[name], dtype=bool)))

    def quantizer(name: str) -> Any:
        return weight_quantizer(weights, shapes[name], form)

    def bits(pair: tuple[int, int]) -> Any:
        return quantized_bits(pair[0], pair[1], alpha=1)

    lstm = QLSTM(
        units,
        activation=quantized_tanh(form.cell_bits, use_real_tanh=form.smooth),
        recurrent_activation=quantized_sigmoid(form.gate_bits, use_real_sigmoid=form.smooth),
        kernel_quantizer=quantizer("lstm/kernel"),
        recurrent_quantizer=quantizer("lstm/recurrent_kernel"),
        bias_quantizer=bits(form.bias),
        state_quantizer=bits(form.state),
        kernel_constraint=constraint("lstm/kernel"),
        recurrent_constraint=constraint("lstm/recurrent_kernel"),
        implementation=2,
        unroll=unroll,
    )
    lstm.name = "lstm"
    dense = QDense(
        outputs,
        kernel_quantizer=quantizer("dense/kernel"),
        bias_quantizer=bits(form.bias),
        kernel_constraint=constraint("dense/kernel"),
        name="dense",
    )
    model = keras.Sequential(
        [
            keras.Input((steps, features)),
            QActivation(bits(form.source), name="source"),
            lstm,
            dense,
            keras.layers.Activation("softmax", name="softmax"),
        ]
    )
    return model


def weight_quantizer(weights: Weights, shape: tuple[int, int], formats: Formats) -> Any:
    """The quantizer of one kernel, (inputs, outputs), by the kind of its weights; None for float ones."""
    plain = {"ternary": MaskedTernary, "int4": MaskedInt4}
    learned = {"twn": Twn, "ttq": Ttq}
    if weights in plain:
        return plain[weights](**formats.scales)
    if weights in learned:
        return learned[weights](shape, **formats.scales)
    return Codebook(shape, formats.codebook_bits) if weights == "codebook4" else None


def open_model(path: Path) -> Any:
    """A saved Keras model, with all classes that the entry points of group ese4ml.keras_objects register.

    Raises:
        MissingError: there is no such file. FormatError: it is no Keras model.
    """
    if not path.is_file():
        raise MissingError(f"{path} is not there; make it with `ese4ml train` or `ese4ml compress`")
    for entry in entry_points(group="ese4ml.keras_objects"):
        entry.load()
    try:
        model = keras.models.load_model(path)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise FormatError(f"{path} is not a saved Keras model of this project: {error}") from error
    for layer in model.layers:
        if isinstance(layer, QLSTM) and "_cell" not in layer.cell.name:
            layer.name = layer.cell.name  # QLSTM hands the name it was saved with to its cell
    return model


def load(path: Path) -> Any:
    """A saved `classifier`.

    Raises:
        MissingError: there is no such file.
        FormatError: it is no Keras model of this form, or a weight is not finite.
    """
    model = open_model(path)
    kernels(model)
    check_finite(model)
    return model


def formats_of(model: Any) -> Formats:
    """The formats of a `classifier`, read from its quantizers.

    Raises:
        UnsupportedError: the layers are not a classifier's.
    """
    kernels(model)
    source = [layer for layer in model.layers if isinstance(layer, QActivation)]
    if len(source) != 1:
        raise UnsupportedError(f"the model has {len(source)} QActivation layers; one, for the input, is expected")
    lstm = next(layer for layer in model.layers if isinstance(layer, QLSTM))

    def pair(quantizer: Any) -> tuple[int, int]:
        return int(quantizer.bits), int(quantizer.integer)

    smooth = bool(lstm.activation.use_real_tanh)
    return Formats(
        source=pair(source[0].activation),
        state=pair(lstm.state_quantizer_internal),
        bias=pair(lstm.bias_quantizer_internal),
        gate_bits=int(lstm.recurrent_activation.bits),
        cell_bits=int(lstm.activation.bits),
        smooth=smooth,
        scales={} if smooth else dict(Formats.hard().scales),
    )


def kernels(model: Any) -> dict[str, Any]:
    """Kernel name -> Keras variable, (inputs, outputs), of a `classifier`.

    Raises:
        UnsupportedError: the model has not exactly one QLSTM and one QDense.
    """
    lstm = [layer for layer in model.layers if isinstance(layer, QLSTM)]
    dense = [layer for layer in model.layers if isinstance(layer, QDense)]
    if len(lstm) != 1 or len(dense) != 1:
        found = ", ".join(type(layer).__name__ for layer in model.layers)
        raise UnsupportedError(f"the model has layers {found}; one QLSTM and one QDense are expected")
    cell = lstm[0].cell
    return dict(zip(KERNELS, (cell.kernel, cell.recurrent_kernel, dense[0].kernel), strict=True))


def weight_quantizers(model: Any) -> dict[str, Any]:
    """Kernel name -> its quantizer, None where the kernel is float."""
    kernels(model)
    lstm = next(layer for layer in model.layers if isinstance(layer, QLSTM)).cell
    dense = next(layer for layer in model.layers if isinstance(layer, QDense))
    found = (lstm.kernel_quantizer_internal, lstm.recurrent_quantizer_internal, dense.kernel_quantizer_internal)
    return dict(zip(KERNELS, found, strict=True))


def constraints(model: Any) -> dict[str, MaskConstraint]:
    """Kernel name -> the constraint that holds its mask."""
    return {name: variable.constraint for name, variable in kernels(model).items()}


def check_finite(model: Any) -> None:
    """Refuse a model with a weight that is no number.

    Raises:
        FormatError: the layer and weight are named.
    """
    for layer in model.layers:
        for variable in layer.weights:
            array = keras.ops.convert_to_numpy(variable)
            if not np.isfinite(array).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                raise FormatError(
                    f"layer {layer.name!r}: {variable.path.split('/')[-1]} at {where} is {array[where]}; "
                    "finite weights are needed: train again with a lower learning rate"
                )
