# SPDX-License-Identifier: Apache-2.0
"""Pages of the project: which files there are, and what a browser makes of them."""
