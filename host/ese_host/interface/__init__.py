# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs of a model as floats in Keras's shapes, alike for the plugin and for a design folder."""

from ese_host.interface.arrays import LARGEST, Extents, Floats, as_floats, numbers_of
from ese_host.interface.file import MAX_BYTES, dump, read
from ese_host.interface.model_interface import ModelInput, ModelInterface, ModelOutput
from ese_host.interface.samples import HOLDS, MAX_SAMPLES_BYTES, SampleFile, read_samples
from ese_host.interface.values import codes_of, empty, outputs_of, shaped

__all__ = [
    "HOLDS",
    "LARGEST",
    "MAX_BYTES",
    "MAX_SAMPLES_BYTES",
    "Extents",
    "Floats",
    "ModelInput",
    "ModelInterface",
    "ModelOutput",
    "SampleFile",
    "as_floats",
    "codes_of",
    "dump",
    "empty",
    "numbers_of",
    "outputs_of",
    "read",
    "read_samples",
    "shaped",
]
