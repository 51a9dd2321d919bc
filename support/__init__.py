"""What tests and benchmarks share: random networks, programs and data, and engines compiled for a design."""
