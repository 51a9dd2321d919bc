# SPDX-License-Identifier: Apache-2.0
"""A page on which the estimates of a layer are explored: `grid` computes them, `page` puts them into one HTML file."""

from ese_host.estimate.explorer.grid import grid_of
from ese_host.estimate.explorer.page import html

__all__ = ["grid_of", "html"]
