"""Training, pruning while it trains, quantization-aware tuning, and the tasks that they serve."""
