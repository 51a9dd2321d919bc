"""What makes the pages' figures, run from the checkout's root as `python -m benchmarks.masks`; not in the wheel."""
