# SPDX-License-Identifier: Apache-2.0
"""Start of TensorFlow without its messages."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from ese_host.errors import EseError

_log = logging.getLogger(__name__)


@contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Start TensorFlow and its compiler, then run the block; imports go into the block.

    What TensorFlow and the imported packages print meanwhile is held back: the log gets it, and if the start or the
    block fails, standard error does. TensorFlow's C++ writes to the file descriptor, not to `sys.stderr`.

    Raises:
        ImportError: if TensorFlow, or a package that the block imports, cannot be imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    sys.stderr.flush()
    saved = os.dup(2)
    failed = True
    with tempfile.TemporaryFile("w+", errors="replace") as held:
        os.dup2(held.fileno(), 2)
        try:
            with redirect_stdout(held):
                import tensorflow as tf

                _log.info("TensorFlow %s", tf.__version__)
                tf.get_logger().setLevel("ERROR")
                tf.function(lambda: tf.constant(0.0), jit_compile=True)()
                yield
            failed = False
        except (EseError, KeyboardInterrupt):
            failed = False
            raise
        finally:
            sys.stderr.flush()
            held.flush()
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            text = held.read()
            if failed:
                sys.stderr.write(text)
            else:
                _log.debug("held back while TensorFlow started:\n%s", text)
