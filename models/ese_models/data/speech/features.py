# SPDX-License-Identifier: Apache-2.0
"""Speech features like those of ESE (FPGA'17), 153 per frame.

They are the logarithms of the power in 50 mel filters and of the energy, with their first and second differences.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft, signal

from ese_host.errors import FormatError

Floats = npt.NDArray[np.float32]
FLOOR = 1e-3
"""Smallest power, in squared 16-bit sample values; without it, digital silence would have no logarithm."""


@dataclass(frozen=True)
class Features:
    """Parameters by which a recording is turned into frames of features.

    Attributes:
        rate: samples per second.
        window: length of a frame, seconds.
        hop: distance between the starts of successive frames, seconds.
        filters: number of mel filters.
        low: lower edge of the first filter, Hz; the last filter ends at half the sampling rate.
        emphasis: coefficient of the pre-emphasis x[n] - emphasis * x[n-1], which raises high frequencies.
        reach: frames to each side over which a difference is computed.
    """

    rate: int = 16000
    window: float = 0.025
    hop: float = 0.010
    filters: int = 50
    low: float = 20.0
    emphasis: float = 0.97
    reach: int = 2

    @property
    def samples(self) -> int:
        """Samples per frame."""
        return round(self.window * self.rate)

    @property
    def step(self) -> int:
        """Samples between the starts of successive frames."""
        return round(self.hop * self.rate)

    @property
    def points(self) -> int:
        """Points of the Fourier transform: the samples per frame, rounded up to a power of two."""
        return 1 << (self.samples - 1).bit_length()

    @property
    def width(self) -> int:
        """Features per frame: mel filters and energy, with their first and second differences."""
        return 3 * (self.filters + 1)

    def centres(self, frames: int) -> npt.NDArray[np.float64]:
        """(frames,) times of the middle of the first `frames` frames, seconds."""
        return (np.arange(frames) * self.step + self.samples / 2) / self.rate


def log_mel(samples: npt.NDArray[np.int16], features: Features) -> Floats:
    """Logarithm of the power in each mel filter, and of the energy, for each frame of a recording.

    Each frame passes through a Hamming window, a power spectrum and triangular filters that are equally spaced on the
    mel scale. All frames lie entirely within the recording.

    Args:
        samples: (samples,) of one channel, 16 bits each.
        features: parameters of the analysis.

    Returns:
        (frames, filters + 1); the last column is the energy.

    Raises:
        FormatError: if the recording is shorter than a frame, or has more than one channel.
    """
    if samples.ndim != 1 or len(samples) < features.samples:
        raise FormatError(
            f"recording has shape {samples.shape}; one channel of at least {features.samples} samples is needed"
        )
    wave = samples.astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(wave, features.samples)[:: features.step]
    energy = np.square(frames).mean(axis=1)
    raised = signal.lfilter([1.0, -features.emphasis], [1.0], wave).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(raised, features.samples)[:: features.step]
    spectrum = fft.rfft(frames * np.hamming(features.samples).astype(np.float32), features.points, axis=1)
    power = np.square(np.abs(spectrum)) / features.points
    mel = power @ mel_filters(features).T
    values: Floats = np.log(np.maximum(np.column_stack([mel, energy]), FLOOR)).astype(np.float32)
    return values


@lru_cache(maxsize=4)
def mel_filters(features: Features) -> Floats:
    """(filters, points / 2 + 1) weights of triangular filters on the scale mel(f) = 2595 log10(1 + f / 700).

    Raises:
        FormatError: if a filter lies between two points of the Fourier transform, so that it passes nothing.
    """

    def mel(hertz: float) -> float:
        return float(2595 * np.log10(1 + hertz / 700))

    edges = 700 * (10 ** (np.linspace(mel(features.low), mel(features.rate / 2), features.filters + 2) / 2595) - 1)
    bins = fft.rfftfreq(features.points, 1 / features.rate)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    filters: Floats = np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))).astype(
        np.float32
    )
    empty = np.flatnonzero(filters.sum(axis=1) == 0)
    if len(empty):
        raise FormatError(
            f"of {features.filters} mel filters, filter {empty[0]} passes no frequency; use fewer or a longer window"
        )
    return filters


def with_differences(static: Floats, reach: int) -> Floats:
    """Append first and second differences to features: (frames, width) -> (frames, 3 * width).

    A difference is the regression slope over `reach` frames to each side.
    """
    first = _slope(static, reach)
    return np.concatenate([static, first, _slope(first, reach)], axis=1)


def _slope(values: Floats, reach: int) -> Floats:
    count = len(values)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    total = np.zeros_like(values)
    for n in range(1, reach + 1):
        total += n * (padded[reach + n : reach + n + count] - padded[reach - n : reach - n + count])
    slope: Floats = total / np.float32(2 * sum(n * n for n in range(1, reach + 1)))
    return slope
