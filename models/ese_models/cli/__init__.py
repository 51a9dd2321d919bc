# SPDX-License-Identifier: Apache-2.0
"""The commands `ese4ml data`, `train`, `compress`, `dsd`, `report`, `sensitivity` and `study`."""
