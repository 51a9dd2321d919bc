# SPDX-License-Identifier: Apache-2.0
"""Frames from a microphone, for `ese4ml live --microphone`."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import DeviceError, MismatchError, MissingError
from ese_host.extras import needs

GROUP = "ese4ml.features"
"""Group of entry points; each names a class that turns samples into frames of features."""
SECONDS = 5.0
"""How long the microphone may give nothing."""
BLOCK = 0.01
"""Seconds of a block of samples."""


def microphone_frames(width: int) -> Iterator[npt.NDArray[np.float32]]:
    """Features of what a microphone hears, (frames, width) at a time, until the caller stops.

    Args:
        width: features of a frame that the design takes.

    Raises:
        MissingError: if sounddevice, or the extra `train` with the features, is not installed.
        MismatchError: if no features of this width are known.
        DeviceError: if there is no microphone, or it gives nothing for some seconds.
    """
    try:
        sounddevice: Any = import_module("sounddevice")
    except (ImportError, OSError) as error:  # an OSError if PortAudio is missing
        raise MissingError(f"--microphone needs sounddevice ({error}): pip install sounddevice") from error
    features = _features_of(width)
    blocks: queue.Queue[npt.NDArray[np.int16]] = queue.Queue()

    def heard(samples: npt.NDArray[np.int16], _frames: int, _time: Any, _status: Any) -> None:
        blocks.put(samples[:, 0].copy())

    options = {"samplerate": features.rate, "channels": 1, "dtype": "int16", "callback": heard}
    try:
        stream = sounddevice.InputStream(blocksize=round(BLOCK * features.rate), **options)
    except sounddevice.PortAudioError as error:
        raise DeviceError(f"the microphone cannot be opened ({error}); connect one, or give frames as lines") from error
    with stream:
        while True:
            try:
                samples = blocks.get(timeout=SECONDS)
            except queue.Empty as error:
                raise DeviceError(f"the microphone gave nothing for {SECONDS:g} s; check that it is on") from error
            yield features.feed(samples)


def _features_of(width: int) -> Any:
    """A new object that turns samples into frames of a width."""
    points = list(entry_points(group=GROUP))
    try:
        known = [point.load()() for point in points]
    except ImportError as error:
        raise needs("--microphone", "train") from error
    for features in known:
        if features.width == width:
            return features
    widths = ", ".join(f"{features.width} ({point.name})" for point, features in zip(points, known, strict=True))
    raise MismatchError(
        f"the design takes frames of {width} numbers; a microphone gives frames of {widths}: give frames as lines of "
        "standard input"
    )
