# SPDX-License-Identifier: Apache-2.0
"""Writes the HLS project: sources, config.h, images, test vectors, and scripts for the tools; and writes contract.h."""

from ese_hls.project.config_header import render
from ese_hls.project.project import (
    ATTACHMENTS,
    DESCRIPTION,
    PRJ,
    TOP,
    Project,
    is_written,
    write_engine,
    write_project,
)

__all__ = [
    "ATTACHMENTS",
    "DESCRIPTION",
    "PRJ",
    "TOP",
    "Project",
    "is_written",
    "render",
    "write_engine",
    "write_project",
]
