# SPDX-License-Identifier: Apache-2.0
"""docs/results/ese.md: the study's networks of ESE's layer run on the engine, beside what ESE published."""
