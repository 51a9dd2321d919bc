# SPDX-License-Identifier: Apache-2.0
"""Searches for recipes of training, judged by validation splits only."""
