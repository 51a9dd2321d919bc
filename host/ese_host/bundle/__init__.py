# SPDX-License-Identifier: Apache-2.0
"""The design folder bitstreams/<design>: manifest, images, golden model and other files, all checked."""

from ese_host.bundle.decoder_file import read_decoder
from ese_host.bundle.design_model import ChainImage, DesignModel, model_digest
from ese_host.bundle.folder import Folder
from ese_host.bundle.image_file import read_image
from ese_host.bundle.manifest import (
    BIT,
    DECODER,
    GOLDEN,
    HWH,
    IMAGE,
    INTERFACE,
    NAME,
    PROVENANCE,
    TESTSET,
    FlowName,
    Kind,
    Manifest,
    image_name,
)
from ese_host.bundle.provenance import (
    FORMAT,
    USED,
    MatrixLoad,
    Provenance,
    ProvenanceRecord,
    TrainingData,
    beside,
    imbalance,
)
from ese_host.bundle.testset import ExpectedOutput, TestSet

__all__ = [
    "BIT",
    "DECODER",
    "FORMAT",
    "GOLDEN",
    "HWH",
    "IMAGE",
    "INTERFACE",
    "NAME",
    "PROVENANCE",
    "TESTSET",
    "USED",
    "ChainImage",
    "DesignModel",
    "ExpectedOutput",
    "FlowName",
    "Folder",
    "Kind",
    "Manifest",
    "MatrixLoad",
    "Provenance",
    "ProvenanceRecord",
    "TestSet",
    "TrainingData",
    "beside",
    "image_name",
    "imbalance",
    "model_digest",
    "read_decoder",
    "read_image",
]
