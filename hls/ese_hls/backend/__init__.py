# SPDX-License-Identifier: Apache-2.0
"""The hls4ml backend "ESE": registration, passes, writer, emission of a model, and builds in one call."""

from ese_hls.backend.described import names_from
from ese_hls.backend.design import build
from ese_hls.backend.emission import emit

__all__ = ["build", "emit", "names_from"]
