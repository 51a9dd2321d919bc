# SPDX-License-Identifier: Apache-2.0
"""Files beside a model and reports about it: provenance, test set, compression report, sensitivity scan, charts."""

from ese_models.records.counted_matrices import of_folder, of_model
from ese_models.records.provenance import versions

__all__ = ["of_folder", "of_model", "versions"]
