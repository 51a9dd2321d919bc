# SPDX-License-Identifier: Apache-2.0
"""The host side: formats, golden model, driver and command line. It needs NumPy and nothing heavier."""
