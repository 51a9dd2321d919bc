# SPDX-License-Identifier: Apache-2.0
"""Format sets: an engine has up to four sets of formats for recurrent layers, each a constant of the hardware.

A layer runs on an engine that has a set with its state, its activations and, if it is stored, its output. The slope and
offset of hard activations are loaded with an image, for each set, so that layers of one network that differ in these
need two sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ese_host.errors import MismatchError, UnsupportedError
from ese_host.ir.activations import (
    CELL_BITS,
    CELL_FRAC,
    FACTOR_BITS,
    GATE_BITS,
    Activation,
    check_cell,
    check_gates,
    unrounded_cell,
)
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import Lstm, Network, Recurrent

ELEMENT_BITS = 16
"""Most bits of a vector element's code, in vector RAM and in a packet."""
MAX_SETS = 4
"""Most format sets of an engine."""

_GATE = Activation("sigmoid", Fixed(16, 0, signed=False))
_CELL = Activation("tanh", Fixed(16, 1))


@dataclass(frozen=True)
class FormatSet:
    """The formats of recurrent layers. Activations have no slope and offset here, as these are loaded with an image.

    Attributes:
        state: format of h, and of an LSTM's c.
        output: format of the output as it is stored for the next layer.
        gate: activation of the gates.
        cell: activation of the candidate, and of an LSTM's c.
    """

    state: Fixed = Fixed(16, 4)
    output: Fixed = Fixed(16, 1)
    gate: Activation = _GATE
    cell: Activation = _CELL

    @classmethod
    def of(cls, layer: Recurrent, output: Fixed | None) -> FormatSet:
        """The formats of a layer; of its output, only if it has one that can be stored."""
        return cls(layer.state, output or cls.output, without_line(layer.gate), without_line(layer.cell))

    def holds(self, layer: Recurrent, output: Fixed | None) -> bool:
        """Whether a layer runs with these formats.

        Args:
            layer: the layer.
            output: format in which its output must be stored; None if it need not be.
        """
        return self == self.of(layer, output or self.output)

    def __str__(self) -> str:
        return f"state {self.state}, output {self.output}, {self.gate}, {self.cell}"


def without_line(activation: Activation) -> Activation:
    """The activation without slope and offset, which are loaded with an image."""
    return Activation(activation.kind, activation.out)


def stored_output(layer: Recurrent, final: bool) -> tuple[Fixed | None, bool]:
    """Format in which a recurrent layer's output would be stored in vector RAM, and whether the engine must store it.

    Args:
        layer: the layer.
        final: whether it is the last layer of its network.

    Returns:
        The output format, or None if it is wider than `ELEMENT_BITS`; whether the output is stored.

    Raises:
        UnsupportedError: if the output must be stored but is too wide.
    """
    output = layer.product
    projected = isinstance(layer, Lstm) and layer.projection is not None
    leaves_exact = final and layer.output is None and not projected
    stored = not leaves_exact and (final or projected or output != layer.state)
    if output.bits <= ELEMENT_BITS:
        return output, stored
    if stored:
        raise UnsupportedError(
            f"layer {layer.name!r}: its output has {output.bits} bits; at most {ELEMENT_BITS} can be stored: use 8-bit "
            "activations, or put QActivation('quantized_bits(16, 0, alpha=1)') behind it"
        )
    return None, False


def check_sets(owner: str, sets: Sequence[FormatSet], gru: bool) -> None:
    """Refuse formats that the one datapath of all sets cannot hold.

    A unit computes with the finest binary point of all sets, to which the values of the others are raised.

    Args:
        owner: begins the message.
        sets: the sets of an engine.
        gru: whether it has the cells of a GRU.

    Raises:
        UnsupportedError: if a set's own formats are too wide, or those of the sets are too far apart.
    """
    for formats in sets:
        check_cell(owner, formats.state, formats.gate, formats.cell)
        if gru:
            check_gates(owner, formats.gate)
    gate, cell = max(each.gate.out.frac for each in sets), max(each.cell.out.frac for each in sets)
    new_state, frac = unrounded_in(sets)
    stored = max(form.frac for each in sets for form in (each.state, each.output))
    for formats in sets:
        needs = {
            "a gate": (_bits(formats.gate) + gate - formats.gate.out.frac, GATE_BITS),
            "a candidate": (_bits(formats.cell) + cell - formats.cell.out.frac, FACTOR_BITS),
            "a new state": (new_state, CELL_BITS),
            "fractional bits of a new state": (frac, CELL_FRAC),
        }
        if gru:
            whole = max(formats.state.bits - formats.state.frac, _bits(formats.cell) - formats.cell.out.frac)
            needs["a new h, as its output is rounded,"] = (whole + max(stored, frac), CELL_BITS)
        for what, (needed, most) in needs.items():
            if needed > most:
                raise UnsupportedError(
                    f"{owner}: {what} would have {needed} bits; at most {most} are allowed: give the quantizers of "
                    "states, outputs and activations fewer fractional bits, or layers quantizers that are more alike"
                )


def unrounded_in(sets: Sequence[FormatSet]) -> tuple[int, int]:
    """Bits and fractional bits of a new state before it is rounded, at the finest binary point of all sets.

    Args:
        sets: the sets of an engine.
    """
    frac = max(each.gate.out.frac for each in sets) + max(max(each.cell.out.frac, each.state.frac) for each in sets)
    own = [unrounded_cell(each.state, each.gate, each.cell) for each in sets]
    return max(bits + frac - point for bits, point in own), frac


def _bits(activation: Activation) -> int:
    """Bits of an activation's codes in two's complement."""
    return max(-activation.low - 1, activation.high).bit_length() + 1


@dataclass
class _Placement:
    """The sets that the layers of one network take.

    Attributes:
        network: the network.
        sets: the sets of the engine.
        numbers: number of the set of each layer that has one, by the layer's place in the network.
    """

    network: Network
    sets: list[FormatSet]
    numbers: dict[int, int] = field(default_factory=dict)

    def layers(self) -> list[tuple[int, Recurrent, Fixed | None, bool]]:
        """Place, layer, output format, and whether it is stored, of each recurrent layer."""
        last = self.network.layers[-1]
        recurrent = [(at, each) for at, each in enumerate(self.network.layers) if isinstance(each, Recurrent)]
        return [(at, layer, *stored_output(layer, layer is last)) for at, layer in recurrent]

    def find(self, at: int, layer: Recurrent, output: Fixed | None) -> bool:
        """Give a layer one of the sets, if one holds it whose slopes and offsets are not those of another layer."""
        for number, formats in enumerate(self.sets):
            if formats.holds(layer, output) and all(
                _line(other) == _line(layer)
                for place, other in enumerate(self.network.layers)
                if self.numbers.get(place) == number and isinstance(other, Recurrent)
            ):
                self.numbers[at] = number
                return True
        return False


def _line(layer: Recurrent) -> tuple[Activation, Activation]:
    return layer.gate, layer.cell


def sets_for(networks: Sequence[Network]) -> tuple[FormatSet, ...]:
    """The format sets of an engine that runs each of the networks; a default one if there is no recurrent layer.

    Raises:
        UnsupportedError: if more than `MAX_SETS` are needed, or a stored output is too wide.
    """
    sets: list[FormatSet] = []
    placements = [_Placement(network, sets) for network in networks]
    first: list[str] = []  # for each set the layer that it is made for
    # A layer that stores no output fits any output format, so that it takes a set that others need.
    for needed in (True, False):
        for placement in placements:
            for at, layer, output, stored in placement.layers():
                if stored != needed or placement.find(at, layer, output if stored else None):
                    continue
                placement.numbers[at] = len(sets)
                sets.append(FormatSet.of(layer, output))
                first.append(layer.name)
    if len(sets) > MAX_SETS:
        names = ", ".join(map(repr, first[:-1]))
        raise UnsupportedError(
            f"layers {names} and {first[-1]!r} differ in the formats of state, output or activations; an engine has "
            f"{MAX_SETS} sets of them: give some of these layers the same state_quantizer, activation, "
            "recurrent_activation and quantizer behind them, or make two models"
        )
    return tuple(sets) or (FormatSet(),)


def set_numbers(network: Network, sets: Sequence[FormatSet]) -> dict[int, int]:
    """The number of the format set of each recurrent layer, by the layer's place in the network.

    Args:
        network: the network.
        sets: the sets of the engine.

    Raises:
        MismatchError: if no set holds a layer, or those that do have the slope or offset of another layer.
    """
    placement = _Placement(network, list(sets))
    layers = placement.layers()
    for needed in (True, False):
        for at, layer, output, stored in layers:
            if stored == needed and not placement.find(at, layer, output if stored else None):
                raise MismatchError(
                    f"layer {layer.name!r} has {FormatSet.of(layer, output)}; the design has "
                    f"{'; '.join(map(str, sets))}, each for one slope and offset: emit a design for this network"
                )
    return placement.numbers
