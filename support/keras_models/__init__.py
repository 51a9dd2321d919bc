# SPDX-License-Identifier: Apache-2.0
"""Keras models for tests: those that the plugin converts, and the topology of those that the project builds."""
