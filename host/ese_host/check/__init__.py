"""A design against its golden model: comparison, metrics, and the report."""
