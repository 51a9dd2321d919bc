# SPDX-License-Identifier: Apache-2.0
"""Estimates of time, resources and energy of a network on a board, before any synthesis (docs/explanation/estimate.md).

- `estimator` puts an estimate together; `source` reads the network from a folder or a Keras model, and `by_sizes`
  makes a layer of given sizes.
- `design_choice` chooses the design for layers of given sizes, `masks` counts entries and padding of each PE.
- `timing` plans a step; `cycles` says how many cycles it takes on each engine.
- `memories` and `resources` say what a design takes of a board, and `energy` what a step costs.
- `search` finds the fastest design that fits a board; `explorer` makes a page of very many estimates.

Only the cycles of stream mode are modelled, because those of skip mode depend on the data.
"""

from ese_host.estimate.by_sizes import SizedNetwork, sized
from ese_host.estimate.cycles import most_units
from ese_host.estimate.design_choice import DesignOptions, design_of, enough_pes
from ese_host.estimate.energy import TABLE, Energy, Scanned, energy_of
from ese_host.estimate.estimator import Subject, assumptions, estimate, estimate_encoded
from ese_host.estimate.masks import Pruning
from ese_host.estimate.memories import COLUMNS_IN_FLIGHT, Memory, fifo_places, memories_of, ramb18, shared_words
from ese_host.estimate.resources import (
    NAMES,
    Count,
    Recorded,
    basis,
    over,
    percentages,
    record_counts,
    recorded_counts,
    use,
)
from ese_host.estimate.source import Encoded, emitted, read_folder
from ese_host.estimate.timing import of_image, of_sizes

__all__ = [
    "COLUMNS_IN_FLIGHT",
    "NAMES",
    "TABLE",
    "Count",
    "DesignOptions",
    "Encoded",
    "Energy",
    "Memory",
    "Pruning",
    "Recorded",
    "Scanned",
    "SizedNetwork",
    "Subject",
    "assumptions",
    "basis",
    "design_of",
    "emitted",
    "energy_of",
    "enough_pes",
    "estimate",
    "estimate_encoded",
    "fifo_places",
    "memories_of",
    "most_units",
    "of_image",
    "of_sizes",
    "over",
    "percentages",
    "ramb18",
    "read_folder",
    "record_counts",
    "recorded_counts",
    "shared_words",
    "sized",
    "use",
]
