# SPDX-License-Identifier: Apache-2.0
"""QKeras networks that the engine can run: how they are built, and how their kernels, masks and formats are read."""

from ese_models.networks.builder import QUANTIZERS, Formats, Mask, Topology, Weights, network
from ese_models.networks.inspection import (
    check_finite,
    constraints,
    formats_of,
    kernels,
    load,
    load_model,
    parts,
    weight_quantizers,
)
from ese_models.networks.mask_constraint import MaskConstraint, MaskGoal
from ese_models.networks.prunable import Kernel, check_layers, engine_matrices, kernel_name, prunable
from ese_models.networks.qlstmp import QLSTMP
from ese_models.networks.twin import masked, masks_on, put_masks, quantized_twin, source_format, strip

__all__ = [
    "QLSTMP",
    "QUANTIZERS",
    "Formats",
    "Kernel",
    "Mask",
    "MaskConstraint",
    "MaskGoal",
    "Topology",
    "Weights",
    "check_finite",
    "check_layers",
    "constraints",
    "engine_matrices",
    "formats_of",
    "kernel_name",
    "kernels",
    "load",
    "load_model",
    "masked",
    "masks_on",
    "network",
    "parts",
    "prunable",
    "put_masks",
    "quantized_twin",
    "source_format",
    "strip",
    "weight_quantizers",
]
