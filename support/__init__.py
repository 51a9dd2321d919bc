# SPDX-License-Identifier: Apache-2.0
"""Helpers shared by tests and benchmarks: random networks, programs and data, and engines compiled for a design."""
