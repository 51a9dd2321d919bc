# SPDX-License-Identifier: Apache-2.0
"""The formats that an engine has, to which all networks that it runs must keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ese_host.errors import UnsupportedError
from ese_host.ir.fixed import Fixed
from ese_host.ir.format_sets import ELEMENT_BITS, FormatSet, sets_for
from ese_host.ir.network import Gru, Network, Recurrent
from ese_host.ir.weight_kinds import WeightKind

Cells = Literal["lstm", "gru", "lstm+gru"]
"""Kinds of recurrent cells of an engine."""


@dataclass(frozen=True)
class EngineFormats:
    """The fields of a `Design` that follow from the networks.

    Attributes:
        weights: kind of weight code.
        source: format of an input; only its sign is built into the engine.
        sets: formats of recurrent layers.
        cells: kinds of recurrent cells.
    """

    weights: WeightKind
    source: Fixed
    sets: tuple[FormatSet, ...] = (FormatSet(),)
    cells: Cells = "lstm"


def common_formats(networks: Sequence[Network]) -> EngineFormats:
    """The formats of an engine that runs all networks; those of recurrent layers are the defaults if there is none.

    Raises:
        UnsupportedError: if layers differ in weights, or need more format sets than an engine has, an input is too wide
            to share the engine with another network's, or a stored output is too wide.
    """
    layers = [layer for network in networks for layer in network.layers if isinstance(layer, Recurrent)]
    cells = cells_of([isinstance(layer, Gru) for layer in layers])
    return EngineFormats(_weights(networks), _source(networks), sets_for(networks), cells)


def cells_of(are_gru: Sequence[bool]) -> Cells:
    """The kinds of cells that an engine needs; those of an LSTM if it has no recurrent layer.

    Args:
        are_gru: for each recurrent layer whether it is a GRU, and not an LSTM.

    >>> cells_of([]), cells_of([True]), cells_of([True, False])
    ('lstm', 'gru', 'lstm+gru')
    """
    if not any(are_gru):
        return "lstm"
    return "gru" if all(are_gru) else "lstm+gru"


def fits_source(source: Fixed, engine: Fixed) -> bool:
    """Whether an engine built for one input format can also read inputs of another; only the sign is built in.

    Args:
        source: format of the inputs.
        engine: input format that the engine is built for.
    """
    return source.bits + (engine.signed and not source.signed) <= ELEMENT_BITS and engine.signed >= source.signed


def _source(networks: Sequence[Network]) -> Fixed:
    chosen = next((network for network in networks if network.source.signed), networks[0])
    for network in networks:
        if len(networks) > 1 and not fits_source(network.source, chosen.source):
            raise UnsupportedError(
                f"layer {network.layers[0].name!r} reads values of {network.source}, and layer "
                f"{chosen.layers[0].name!r} of {chosen.source}; beside a signed input an unsigned one may have at most "
                f"{ELEMENT_BITS - 1} bits: give the values before {network.layers[0].name!r} a signed quantizer, or "
                "fewer bits"
            )
    return chosen.source


def _weights(networks: Sequence[Network]) -> WeightKind:
    kinds: dict[WeightKind, str] = {}
    for network in networks:
        for layer in network.layers:
            for matrix in layer.matrices().values():
                kinds.setdefault(matrix.kind, layer.name)
    if len(kinds) > 1:
        names = " and ".join(f"{kind} ({name!r})" for kind, name in kinds.items())
        raise UnsupportedError(f"layers have {names} weights; an engine holds one kind: quantize all kernels alike")
    return next(iter(kinds))
