# SPDX-License-Identifier: Apache-2.0
"""Programs that measure the figures of the documentation; the wheel does not hold them.

Run them from the root of a checkout, for example `python -m benchmarks.masks`.
"""
