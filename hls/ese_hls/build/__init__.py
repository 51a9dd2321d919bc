# SPDX-License-Identifier: Apache-2.0
"""Builds design folders from projects with g++, Vitis HLS, Vivado and Bambu, and reads the reports of these tools."""

from ese_hls.build.bambu import SIMULATOR, cosimulate
from ese_hls.build.build import Emulator, build_bitstream, build_emulated, rebuild
from ese_hls.build.design_folder import pack_folder
from ese_hls.build.synthesis import Synthesis
from ese_hls.build.vendor_reports import NAME, BuildReport
from ese_hls.build.vitis import build_project

__all__ = [
    "NAME",
    "SIMULATOR",
    "BuildReport",
    "Emulator",
    "Synthesis",
    "build_bitstream",
    "build_emulated",
    "build_project",
    "cosimulate",
    "pack_folder",
    "rebuild",
]
