# SPDX-License-Identifier: Apache-2.0
"""Commands that take floats from files, lines or a microphone, and give floats or classes."""

from ese_host.cli.floats.live import live
from ese_host.cli.floats.samples import holds_samples, run_samples

__all__ = ["holds_samples", "live", "run_samples"]
