"""A design against its golden model: comparison, metrics, and the report."""

from ese_host.check.checker import check
from ese_host.check.compare import scaled

__all__ = ["check", "scaled"]
