# SPDX-License-Identifier: Apache-2.0
"""Comparison with hls4ml: its own tests with backend ESE, and its own Vitis backend on the same models."""
