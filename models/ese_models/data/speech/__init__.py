# SPDX-License-Identifier: Apache-2.0
"""Speech features like those of ESE, of whole recordings and of samples as they come."""

from ese_models.data.speech.features import Features, Floats, log_mel, with_differences
from ese_models.data.speech.live_features import LiveFeatures

__all__ = ["Features", "Floats", "LiveFeatures", "log_mel", "with_differences"]
