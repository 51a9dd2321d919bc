# SPDX-License-Identifier: Apache-2.0
"""The self-check of a conversion: Keras and the golden program on the same samples, layer by layer."""

from ese_hls.selfcheck.of_model import observed_ranges, self_check

__all__ = ["observed_ranges", "self_check"]
