# SPDX-License-Identifier: Apache-2.0
"""Graph passes; hls4ml finds every pass class in these modules and registers it as `ese:<name in snake case>`."""
