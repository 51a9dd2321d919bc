# SPDX-License-Identifier: Apache-2.0
"""Readers of Keras 3 and Keras 2 models: each layer becomes nodes of hls4ml's graph."""

from ese_hls.frontend.call import MAPPED, Call, CallTensor
from ese_hls.frontend.parse import calls_of
from ese_hls.frontend.saved_model import load_model

__all__ = ["MAPPED", "Call", "CallTensor", "calls_of", "load_model"]
