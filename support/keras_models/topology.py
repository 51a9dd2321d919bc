# SPDX-License-Identifier: Apache-2.0
"""The layers of a network, read back from its Keras model: an oracle for networks that were built, saved or copied."""

from __future__ import annotations

from typing import Any

import keras
from qkeras import QGRU, QDense

from ese_models.networks import Topology, parts
from ese_models.networks.qlstmp import QLSTMP


def topology_of(model: Any) -> Topology:
    """The topology from which `ese_models.networks.network` builds an equal network."""
    layers = dict(parts(model))
    recurrent = {name: layer for name, layer in layers.items() if not isinstance(layer, QDense)}
    both = [layer for name, layer in recurrent.items() if not name.startswith("backward_")]
    forward = [layer for layer in both if not isinstance(layer, QGRU)]
    dropout = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    return Topology(
        lstm=tuple(layer.units for layer in forward),
        gru=tuple(layer.units for layer in both if isinstance(layer, QGRU)),
        dense=tuple(layer.units for layer in layers.values() if isinstance(layer, QDense))[:-1],
        projection=forward[0].projection_units if forward and isinstance(forward[0], QLSTMP) else 0,
        peepholes=not forward or not isinstance(forward[0], QLSTMP) or forward[0].use_peepholes,
        bidirectional=len(both) < len(recurrent),
        framewise=len(model.output_shape) == 3,
        dropout=dropout[0] if dropout else 0.0,
    )
