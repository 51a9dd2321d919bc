# SPDX-License-Identifier: Apache-2.0
"""The command line `ese4ml`."""

from ese_host.cli.options import AS_JSON, FILE, FOLDER, renamed
from ese_host.cli.output import say
from ese_host.cli.paths import INPUT_FILE, MODEL_FILE, MODEL_OR_FOLDER, NEW_FOLDER, NEW_MODEL, WritablePath
from ese_host.cli.verbosity import is_quiet, note

__all__ = [
    "AS_JSON",
    "FILE",
    "FOLDER",
    "INPUT_FILE",
    "MODEL_FILE",
    "MODEL_OR_FOLDER",
    "NEW_FOLDER",
    "NEW_MODEL",
    "WritablePath",
    "is_quiet",
    "note",
    "renamed",
    "say",
]
