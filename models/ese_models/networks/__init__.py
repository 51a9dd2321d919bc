"""QKeras networks that the engine can run: how they are built, and how their kernels, masks and formats are read."""

from ese_models.networks.builder import QUANTIZERS, Formats, Mask, Topology, Weights, network
from ese_models.networks.inspection import (
    check_finite,
    constraints,
    formats_of,
    kernels,
    load,
    parts,
    topology_of,
    weight_quantizers,
)
from ese_models.networks.mask_constraint import MaskConstraint

__all__ = [
    "QUANTIZERS",
    "Formats",
    "Mask",
    "MaskConstraint",
    "Topology",
    "Weights",
    "check_finite",
    "constraints",
    "formats_of",
    "kernels",
    "load",
    "network",
    "parts",
    "topology_of",
    "weight_quantizers",
]
