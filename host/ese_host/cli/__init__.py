"""The command line `ese4ml`."""

from ese_host.cli.options import AS_JSON, FILE, FOLDER, renamed
from ese_host.cli.output import say

__all__ = ["AS_JSON", "FILE", "FOLDER", "renamed", "say"]
