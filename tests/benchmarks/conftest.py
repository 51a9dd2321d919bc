# SPDX-License-Identifier: Apache-2.0
"""A tiny data set and training without XLA, so that training takes seconds."""

from support.random_data import tiny, without_xla

__all__ = ["tiny", "without_xla"]
