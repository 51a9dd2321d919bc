# SPDX-License-Identifier: Apache-2.0
"""Files that a trained cell leaves: its figures, its log-posteriors, and copies that are kept with the source."""

from benchmarks.study.outcome.figures import loads, measured, save_posteriors, stored
from benchmarks.study.outcome.kept import keep

__all__ = ["keep", "loads", "measured", "save_posteriors", "stored"]
