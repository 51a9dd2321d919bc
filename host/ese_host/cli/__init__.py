"""The command line `ese4ml`."""

from ese_host.cli.options import AS_JSON, FILE, FOLDER, renamed

__all__ = ["AS_JSON", "FILE", "FOLDER", "renamed"]
