# SPDX-License-Identifier: Apache-2.0
"""Partition of the mapped graph into a program.

values.py       values of graph nodes
partition.py    chains as long as the engine can run them, and the host operations between them
split_dense.py  Dense layers whose inputs have more bits than a vector element
"""

from ese_hls.lower.partition.partition import Partition
from ese_hls.lower.partition.split_dense import add_split_dense
from ese_hls.lower.partition.values import Masked, NodeValue

__all__ = ["Masked", "NodeValue", "Partition", "add_split_dense"]
