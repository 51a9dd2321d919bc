# SPDX-License-Identifier: Apache-2.0
"""Dense and sparse products on this CPU beside the engine.

This file imports nothing, because `baseline` must set the number of threads before NumPy is imported.
"""
