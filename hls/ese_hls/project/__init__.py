"""What is written: the HLS project, config.h, contract.h, scripts and test vectors."""

from ese_hls.project.config_header import render
from ese_hls.project.project import ATTACHMENTS, DESCRIPTION, PRJ, TOP, Project, write_project

__all__ = ["ATTACHMENTS", "DESCRIPTION", "PRJ", "TOP", "Project", "render", "write_project"]
