"""Networks, balanced pruning, quantizers and training on QKeras."""
