"""Start of TensorFlow without its messages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ese_host.errors import MissingError


@contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Start TensorFlow and its compiler, then run the block, with stderr discarded; imports go into the block.

    Raises:
        MissingError: if a package of the extra `train` is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    saved = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        tf.function(lambda: tf.constant(0.0), jit_compile=True)()
        yield
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name} is not installed; training needs `pip install ese4ml[train]`") from error
    finally:
        os.dup2(saved, 2)
        os.close(sink)
        os.close(saved)
