"""Estimates before any synthesis: how long, on which board, with how many PEs (docs/estimate.md).

`record` puts one together, of a folder or Keras model that `source` reads. `sizing` chooses the design, `masks` says
what the entries and padding of each PE come to, `timing` plans the step and asks `cycles` how long it takes; `memories`
and `resources` say what it occupies and what a board lacks, `energy` reads the talk's 45 nm table, and `search` tries
designs for a board until it has the fastest.

Only cycles of stream mode are modelled: those of skip mode depend on the data.
"""

from ese_host.estimate.design_choice import DesignOptions, design_of
from ese_host.estimate.energy import TABLE, energy_of
from ese_host.estimate.estimator import Subject, estimate
from ese_host.estimate.masks import Pruning
from ese_host.estimate.memories import Memory, memories_of, ramb18
from ese_host.estimate.resources import NAMES, over, percentages, use
from ese_host.estimate.source import Encoded, emitted, read_folder
from ese_host.estimate.timing import of_image, of_sizes

__all__ = [
    "NAMES",
    "TABLE",
    "DesignOptions",
    "Encoded",
    "Memory",
    "Pruning",
    "Subject",
    "design_of",
    "emitted",
    "energy_of",
    "estimate",
    "memories_of",
    "of_image",
    "of_sizes",
    "over",
    "percentages",
    "ramb18",
    "read_folder",
    "use",
]
