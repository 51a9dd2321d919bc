# SPDX-License-Identifier: Apache-2.0
"""Check of a design against its golden model: comparison, figures and report."""

from ese_host.check.checker import check
from ese_host.check.compare import scaled

__all__ = ["check", "scaled"]
