"""Estimates before any synthesis: how long, on which board, with how many PEs (docs/estimate.md).

    sizes.py    layers by their sizes            table.py      their phase table, as the encoder makes it
    masks.py    entries and padding of each PE   timing.py     iterations a step, by ese_host.estimate.cycles
    sizing.py   the design that holds them       storage.py    memories to primitives
    energy.py   the talk's 45 nm table           resources.py  LUT, FF, DSP by part; what a board lacks
    search.py   the fastest design for a board   estimate.py   all of it as one record
    source.py   folders and Keras models         show.py, command.py   the command line
    report.py   what a check's report takes

Only cycles of stream mode are modelled: those of skip mode depend on the data.
"""

from ese_host.estimate.energy import TABLE, energy_of
from ese_host.estimate.masks import Pruning
from ese_host.estimate.memories import Memory, memories_of, ramb18
from ese_host.estimate.record import Subject, estimate
from ese_host.estimate.resources import NAMES, over, percentages, use
from ese_host.estimate.sizing import Choices, design_of
from ese_host.estimate.source import Encoded, emitted, read_folder
from ese_host.estimate.timing import of_image, of_sizes

__all__ = [
    "NAMES",
    "TABLE",
    "Choices",
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
