"""QLSTMP: the Google LSTM of ESE in QKeras's manner, with peepholes and a recurrent projection.

Sak, Senior and Beaufays (1402.1128), equations 1 to 6 of ESE (FPGA'17), rounded where docs/numerics.md says:

    i = s(W_ix x + W_ir y(t-1) + p_i * c(t-1) + b_i)      f alike
    c = f * c(t-1) + i * t(W_cx x + W_cr y(t-1) + b_c)    c(t-1), y(t-1): through the state quantizer
    o = s(W_ox x + W_or y(t-1) + p_o * q(c) + b_o)        the stored c
    m = o * t(c)                                          the unrounded c
    y = q(W_ym m)                                         the layer's output
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops
from qkeras import get_quantizer
from qkeras.qlayers import get_auto_range_constraint_initializer

from ese_host.errors import UnsupportedError

WEIGHTS = ("kernel", "recurrent", "bias", "peephole", "projection")
QUANTIZERS = ("kernel", "recurrent", "projection", "bias", "peephole", "state", "output")
"""What has a quantizer; the weights that can be pruned stand first, as `get_prunable_weights` has them."""
_RNN = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
_LAYER = ("name", "trainable", "dtype")


@keras.saving.register_keras_serializable(package="ese4ml")
class QLSTMPCell(keras.layers.Layer):
    """One step of a `QLSTMP`.

    Args:
        units: memory cells u.
        projection_units: width of the output y, which is what is fed back.
        activation: of the candidate and of the cell. recurrent_activation: of the gates.
        use_bias: whether gates have a bias. unit_forget_bias: whether f's starts at one.
        use_peepholes: whether gates see the cell.
        kernel_quantizer, recurrent_quantizer, bias_quantizer, peephole_quantizer, projection_quantizer: of the weights.
        state_quantizer: of y when it is made and of c when it is stored. output_quantizer: of m; None where it is
            exact, as with activations of 8 bits.
        kernel_initializer, recurrent_initializer, bias_initializer, peephole_initializer, projection_initializer: of
            the weights.
        kernel_constraint, recurrent_constraint, bias_constraint, peephole_constraint, projection_constraint: held
            after each step of training.

    Weights: `kernel` (inputs, 4u), `recurrent_kernel` (projection_units, 4u), `bias` (4u,), `peephole_kernel` (3, u)
    for i, f, o, `projection_kernel` (u, projection_units); gates in Keras's order i, f, c, o.
    """

    def __init__(
        self,
        units: int,
        projection_units: int,
        activation: Any = "quantized_tanh",
        recurrent_activation: Any = "quantized_sigmoid",
        use_bias: bool = True,
        use_peepholes: bool = True,
        unit_forget_bias: bool = True,
        kernel_quantizer: Any = None,
        recurrent_quantizer: Any = None,
        bias_quantizer: Any = None,
        peephole_quantizer: Any = None,
        projection_quantizer: Any = None,
        state_quantizer: Any = None,
        output_quantizer: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        peephole_initializer: Any = "zeros",
        projection_initializer: Any = "glorot_uniform",
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        peephole_constraint: Any = None,
        projection_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        given = dict(locals())
        super().__init__(**kwargs)
        for what, value in (("units", units), ("projection_units", projection_units)):
            if not isinstance(value, int) or value < 1:
                raise UnsupportedError(f"QLSTMP: {what} is {value!r}; a whole number of at least 1 is needed")
        self.units, self.projection_units = units, projection_units
        self.activation = keras.activations.get(get_quantizer(activation))
        self.recurrent_activation = keras.activations.get(get_quantizer(recurrent_activation))
        self.use_bias, self.use_peepholes, self.unit_forget_bias = use_bias, use_peepholes, unit_forget_bias
        for what in QUANTIZERS:
            setattr(self, f"{what}_quantizer", given[f"{what}_quantizer"])
            setattr(self, f"{what}_quantizer_internal", get_quantizer(given[f"{what}_quantizer"]))
        self.quantizers = [getattr(self, f"{what}_quantizer_internal") for what in QUANTIZERS]
        for what in WEIGHTS:
            constraint, initializer = get_auto_range_constraint_initializer(
                getattr(self, f"{what}_quantizer_internal"), given[f"{what}_constraint"], given[f"{what}_initializer"]
            )
            setattr(self, f"{what}_constraint", keras.constraints.get(constraint))
            setattr(self, f"{what}_initializer", keras.initializers.get(initializer))
        self.state_size, self.output_size = [projection_units, units], projection_units
        self.held: Any = None

    def build(self, input_shape: Any) -> None:
        """Make the weights."""

        def add(what: str, name: str, *shape: int) -> Any:
            initializer, constraint = getattr(self, f"{what}_initializer"), getattr(self, f"{what}_constraint")
            return self.add_weight(shape=shape, name=name, initializer=initializer, constraint=constraint)

        units = self.units
        self.kernel = add("kernel", "kernel", input_shape[-1], 4 * units)
        self.recurrent_kernel = add("recurrent", "recurrent_kernel", self.projection_units, 4 * units)
        self.projection_kernel = add("projection", "projection_kernel", units, self.projection_units)
        self.peephole_kernel = add("peephole", "peephole_kernel", 3, units) if self.use_peepholes else None
        self.bias = add("bias", "bias", 4 * units) if self.use_bias else None
        if self.bias is not None and self.unit_forget_bias:
            start = ops.convert_to_numpy(self.bias).copy()
            start[units : 2 * units] = 1
            self.bias.assign(start)
        self.built = True

    def quantized(self, what: str, weight: Any) -> Any:
        """A weight or a value after its quantizer; None stays None."""
        quantizer = getattr(self, f"{what}_quantizer_internal")
        return weight if quantizer is None or weight is None else quantizer(weight)

    def weighted_inputs(self, inputs: Any) -> Any:
        """(..., 4u) input part of the gates' sums and their bias, of (..., inputs)."""
        z = ops.matmul(inputs, self.quantized("kernel", self.kernel))
        return z + self.quantized("bias", self.bias) if self.use_bias else z

    def step_weights(self) -> tuple[Any, Any, Any]:
        """The other weights, quantized: recurrent kernel, peepholes (or None) and projection."""
        recurrent = self.quantized("recurrent", self.recurrent_kernel)
        projection = self.quantized("projection", self.projection_kernel)
        return recurrent, self.quantized("peephole", self.peephole_kernel), projection

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:  # noqa: ARG002 - Keras passes it
        """One step: (batch, inputs), [y, c] -> y (batch, projection_units), [y, c].

        Where the layer has set `held` to `step_weights`, the inputs are `weighted_inputs` already.
        """
        if self.held is None:
            inputs = self.weighted_inputs(inputs)
        recurrent, peephole, projection = self.held or self.step_weights()
        y, c = (self.quantized("state", state) for state in states)
        z_i, z_f, z_c, z_o = ops.split(inputs + ops.matmul(y, recurrent), 4, axis=-1)
        if peephole is not None:
            z_i, z_f = z_i + peephole[0] * c, z_f + peephole[1] * c
        c = self.recurrent_activation(z_f) * c + self.recurrent_activation(z_i) * self.activation(z_c)
        if peephole is not None:
            z_o = z_o + peephole[2] * self.quantized("state", c)
        m = self.quantized("output", self.recurrent_activation(z_o) * self.activation(c))
        y = self.quantized("state", ops.matmul(m, projection))
        return y, [y, c]

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Zeros, [y, c]."""
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_size]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        config: dict[str, Any] = super().get_config()
        for name in ("units", "projection_units", "use_bias", "use_peepholes", "unit_forget_bias"):
            config[name] = getattr(self, name)
        for name in ("activation", "recurrent_activation"):
            config[name] = keras.activations.serialize(getattr(self, name))
        for what in QUANTIZERS:
            quantizer = getattr(self, f"{what}_quantizer_internal")
            config[f"{what}_quantizer"] = quantizer and keras.saving.serialize_keras_object(quantizer)
        for what in WEIGHTS:
            config[f"{what}_initializer"] = keras.initializers.serialize(getattr(self, f"{what}_initializer"))
            config[f"{what}_constraint"] = keras.constraints.serialize(getattr(self, f"{what}_constraint"))
        return config


@keras.saving.register_keras_serializable(package="ese4ml")
class QLSTMP(keras.layers.RNN):
    """The layer of `QLSTMPCell`: (batch, steps, inputs) -> its last y, or all of them with `return_sequences`.

    Takes the cell's arguments and those of `keras.layers.RNN`; the cell's attributes can be read on the layer.
    """

    def __init__(self, units: int, projection_units: int, **kwargs: Any) -> None:
        own = {name: kwargs.pop(name) for name in (*_RNN, *_LAYER) if name in kwargs}
        super().__init__(QLSTMPCell(units, projection_units, **kwargs), **own)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """All steps; weights are quantized, and the inputs weighted, once for all of them."""
        weighted = self.cell.weighted_inputs(sequences)
        self.cell.held = self.cell.step_weights()
        try:
            return super().call(weighted, initial_state=initial_state, mask=mask, training=training)
        finally:
            self.cell.held = None

    def __getattr__(self, name: str) -> Any:
        """The cell's attributes."""
        if name.endswith(("_quantizer", "_quantizer_internal", "_constraint", "_initializer")) or name in _SHARED:
            return getattr(self.cell, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_quantizers(self) -> list[Any]:
        """Quantizers, those of `get_prunable_weights` first."""
        quantizers: list[Any] = self.cell.quantizers
        return quantizers

    def get_prunable_weights(self) -> list[Any]:
        """Kernel, recurrent kernel and projection."""
        return [self.cell.kernel, self.cell.recurrent_kernel, self.cell.projection_kernel]

    def get_quantization_config(self) -> dict[str, str]:
        """Quantizers and activations as text."""
        found = {f"{what}_quantizer": str(getattr(self.cell, f"{what}_quantizer_internal")) for what in QUANTIZERS}
        return {**found, **{name: str(getattr(self.cell, name)) for name in ("activation", "recurrent_activation")}}

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        config: dict[str, Any] = super().get_config()
        config.pop("cell")
        config.update((name, value) for name, value in self.cell.get_config().items() if name not in _LAYER)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> QLSTMP:
        """Inverse of `get_config`."""
        return cls(**config)


_SHARED = (
    "units",
    "projection_units",
    "activation",
    "recurrent_activation",
    "use_bias",
    "use_peepholes",
    "unit_forget_bias",
)
