# SPDX-License-Identifier: Apache-2.0
"""The commands `ese4ml emit`, `build`, `rebuild` and `pack`."""
