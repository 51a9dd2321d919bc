# SPDX-License-Identifier: Apache-2.0
"""QLSTMP: a QKeras layer for ESE's LSTM, which has peepholes and a recurrent projection.

The LSTM is that of Sak, Senior and Beaufays (1402.1128), equations 1 to 6 of ESE (FPGA'17). Values are rounded as
docs/reference/numerics.md says; below, s is the gates' activation, t the cell's activation and q the state quantizer:

    i = s(W_ix x + W_ir y(t-1) + p_i * c(t-1) + b_i)      f likewise
    c = f * c(t-1) + i * t(W_cx x + W_cr y(t-1) + b_c)    c(t-1) and y(t-1) after the state quantizer
    o = s(W_ox x + W_or y(t-1) + p_o * q(c) + b_o)        with the stored, rounded c
    m = o * t(c)                                          with the unrounded c
    y = q(W_ym m)                                         the output of the layer
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops
from qkeras import get_quantizer
from qkeras.qlayers import get_auto_range_constraint_initializer

from ese_host.errors import UnsupportedError
from ese_models.networks import qlstmp_loop

WEIGHTS = ("kernel", "recurrent", "bias", "peephole", "projection")
QUANTIZERS = ("kernel", "recurrent", "projection", "bias", "peephole", "state", "output")
"""Tensors that have a quantizer; the prunable weights come first, in the order of `get_prunable_weights`."""
_RNN = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
_LAYER = ("name", "trainable", "dtype")


@keras.saving.register_keras_serializable(package="ese4ml")
class QLSTMPCell(keras.layers.Layer):
    """One time step of a `QLSTMP`.

    With u cells, the weights are `kernel` (inputs, 4u), `recurrent_kernel` (projection_units, 4u), `bias` (4u,),
    `peephole_kernel` (3, u) for i, f and o, and `projection_kernel` (u, projection_units). The gates have Keras's order
    i, f, c, o.

    Args:
        units: number of cells u.
        projection_units: width of the output y, which is fed back.
        activation: of the cell candidate and of the cell.
        recurrent_activation: of the gates.
        use_bias: whether the gates have a bias.
        use_peepholes: whether the gates have peepholes.
        unit_forget_bias: whether the bias of f starts at one.
        kernel_quantizer: of the kernel.
        recurrent_quantizer: of the recurrent kernel.
        bias_quantizer: of the bias.
        peephole_quantizer: of the peepholes.
        projection_quantizer: of the projection kernel.
        state_quantizer: of the output y and of the stored c.
        output_quantizer: of m; None if m is exact, as with 8-bit activations.
        kernel_initializer: of the kernel.
        recurrent_initializer: of the recurrent kernel.
        bias_initializer: of the bias.
        peephole_initializer: of the peepholes.
        projection_initializer: of the projection kernel.
        kernel_constraint: of the kernel, applied after each training step.
        recurrent_constraint: of the recurrent kernel.
        bias_constraint: of the bias.
        peephole_constraint: of the peepholes.
        projection_constraint: of the projection kernel.
        kwargs: arguments of `keras.layers.Layer`.

    Raises:
        UnsupportedError: if `units` or `projection_units` is not a whole number of at least 1.
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

    def build(self, input_shape: Any) -> None:
        """Create the weights."""

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
        """Apply the quantizer named `what` to a weight or a value; None stays None."""
        quantizer = getattr(self, f"{what}_quantizer_internal")
        return weight if quantizer is None or weight is None else quantizer(weight)

    def quantized_weights(self) -> qlstmp_loop.QlstmpWeights:
        """The quantized weights."""
        zeros = ops.zeros((4 * self.units,), self.compute_dtype), ops.zeros((3, self.units), self.compute_dtype)
        return qlstmp_loop.QlstmpWeights(
            self.quantized("kernel", self.kernel),
            self.quantized("recurrent", self.recurrent_kernel),
            self.quantized("projection", self.projection_kernel),
            self.quantized("bias", self.bias) if self.use_bias else zeros[0],
            self.quantized("peephole", self.peephole_kernel) if self.use_peepholes else zeros[1],
        )

    def gates(self, sums: Any, c: Any, peephole: Any) -> tuple[Any, Any]:
        """Compute m and c of a time step from the gates' sums.

        Args:
            sums: (batch, 4u) weighted inputs and fed back outputs, with the bias.
            c: (batch, u) before the step.
            peephole: (3, u) quantized peepholes.

        Returns:
            m (batch, u), and the new c.
        """
        c = self.quantized("state", c)
        z_i, z_f, z_c, z_o = ops.split(sums, 4, axis=-1)
        z_i, z_f = z_i + peephole[0] * c, z_f + peephole[1] * c
        c = self.recurrent_activation(z_f) * c + self.recurrent_activation(z_i) * self.activation(z_c)
        z_o = z_o + peephole[2] * self.quantized("state", c)
        return self.quantized("output", self.recurrent_activation(z_o) * self.activation(c)), c

    def state_value(self, value: Any) -> Any:
        """The value in the format of the state."""
        return self.quantized("state", value)

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:  # noqa: ARG002 - Keras passes it
        """Compute one time step.

        Args:
            inputs: (batch, inputs).
            states: [y, c], (batch, projection_units) and (batch, units).
            training: ignored.

        Returns:
            y (batch, projection_units), and the new states [y, c].
        """
        weights, (y, c) = self.quantized_weights(), states
        sums = ops.matmul(inputs, weights.kernel) + weights.bias + ops.matmul(self.state_value(y), weights.recurrent)
        m, c = self.gates(sums, c, weights.peephole)
        y = self.state_value(ops.matmul(m, weights.projection))
        return y, [y, c]

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The states [y, c] before the first step: zeros."""
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_size]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, as Keras saves them."""
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
    """Recurrent layer of a `QLSTMPCell`.

    It maps (batch, steps, inputs) to the last y, (batch, projection_units), or with `return_sequences` to all of them,
    (batch, steps, projection_units). The quantizers, constraints, initializers and settings of the cell can be read on
    the layer too.

    Args:
        units: number of cells.
        projection_units: width of the output y.
        kwargs: further arguments of `QLSTMPCell` and of `keras.layers.RNN`.
    """

    def __init__(self, units: int, projection_units: int, **kwargs: Any) -> None:
        layer_options = {name: kwargs.pop(name) for name in (*_RNN, *_LAYER) if name in kwargs}
        super().__init__(QLSTMPCell(units, projection_units, **kwargs), **layer_options)
        self.products = self.compute_dtype

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Run over sequences, by `qlstmp_loop` unless steps are masked or the loop is unrolled.

        Args:
            sequences: (batch, steps, inputs).
            initial_state: [y, c] before the first step.
            mask: (batch, steps), false for steps to skip; None computes all steps.
            training: passed to the cell, which ignores it.

        Returns:
            The last y, y of all steps, (batch, steps, projection_units), and the states [y, c] after the last step.
        """
        if mask is not None or self.unroll:
            return super().inner_loop(sequences, initial_state, mask, training)
        cell = self.cell
        arithmetic = qlstmp_loop.Arithmetic(cell.gates, cell.state_value, cell.state_value, self.products)
        inputs = ops.transpose(sequences, (1, 0, 2))
        weights = qlstmp_loop.compiled(cell.quantized_weights)()
        y, c = initial_state
        ys, c = qlstmp_loop.run(arithmetic, ops.flip(inputs, 0) if self.go_backwards else inputs, weights, y, c)
        return ys[-1], ops.transpose(ys, (1, 0, 2)), [ys[-1], c]

    def __getattr__(self, name: str) -> Any:
        """Read the shared attributes from the cell.

        Raises:
            AttributeError: if the cell does not share the attribute.
        """
        if name.endswith(("_quantizer", "_quantizer_internal", "_constraint", "_initializer")) or name in _SHARED:
            return getattr(self.cell, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_quantizers(self) -> list[Any]:
        """All quantizers; those of `get_prunable_weights` come first, in the same order."""
        quantizers: list[Any] = self.cell.quantizers
        return quantizers

    def get_prunable_weights(self) -> list[Any]:
        """Kernel, recurrent kernel and projection kernel."""
        return [self.cell.kernel, self.cell.recurrent_kernel, self.cell.projection_kernel]

    def get_quantization_config(self) -> dict[str, str]:
        """Quantizers and activations as text, by the names of their arguments."""
        quantizers = {f"{what}_quantizer": str(getattr(self.cell, f"{what}_quantizer_internal")) for what in QUANTIZERS}
        return {
            **quantizers,
            **{name: str(getattr(self.cell, name)) for name in ("activation", "recurrent_activation")},
        }

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, as Keras saves them."""
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
