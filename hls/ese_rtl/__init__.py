# SPDX-License-Identifier: Apache-2.0
"""The engine in RTL, written in Amaranth: the same images, packets, registers and answers as the HLS C++."""
