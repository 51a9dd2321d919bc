# SPDX-License-Identifier: Apache-2.0
"""Decoders from counts and settings, and the settings that make the fewest errors on the validation split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.decoding import FORBIDDEN, UNIT, Decoder, phone_errors
from ese_host.errors import FormatError
from ese_models.data import NO_LABEL, Dataset, Split
from ese_models.decoding.label_counts import LabelCounts
from ese_models.training import predict

Floats = npt.NDArray[np.float64]
LEAST = 1e-30
"""Smallest probability: a softmax in single precision may give zero."""
GRID: dict[str, Sequence[float]] = {
    "acoustic": (0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.7),
    "insertion": (-4.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0),
    "prior": (0.0, 0.3, 0.6, 1.0),
}
"""Values that are tried of each setting."""


@dataclass(frozen=True)
class Settings:
    """Settings of a decoder, which labels do not tell.

    Attributes:
        acoustic: acoustic scale, the weight of the network's outputs beside the model of phones.
        insertion: score, in nats, that every change of the phone costs in addition; below zero, changes are favoured.
        prior: share of a phone's logarithmic prior that is subtracted from the network's outputs.
    """

    acoustic: float = 0.6
    insertion: float = 0.0
    prior: float = 0.0


def decoder_of(counts: LabelCounts, settings: Settings, chosen: dict[str, Any] | None = None) -> Decoder:
    """The decoder of counted labels and settings.

    Args:
        counts: of the training labels.
        settings: the settings.
        chosen: what the file says of them beside the settings.
    """
    stay = counts.stay_shares()
    change = np.log(1 - stay)[:, None] + counts.log_changes() - settings.insertion
    return Decoder(
        multiplier=round(settings.acoustic * UNIT),
        minimum=counts.minimum,
        delay=counts.delay,
        prior=_scores(settings.acoustic * settings.prior * counts.log_prior()),
        start=_scores(counts.log_start()),
        stay=_scores(np.log(stay)),
        change=_scores(change),
        chosen={**asdict(settings), **(chosen or {})},
    )


def tuned(counts: LabelCounts, outputs: Floats, split: Split) -> Decoder:
    """The decoder with the fewest phone errors on a split.

    One setting after the other is changed to the best value of `GRID`, until none improves. Of values with equally many
    errors the first one tried is kept, so that the same outputs always give the same decoder.

    Args:
        counts: of the training labels.
        outputs: (utterances, steps, phones) `log_outputs` of a network.
        split: the validation split for which they were computed.
    """
    tried: dict[Settings, int] = {}

    def errors_of(settings: Settings) -> int:
        if settings not in tried:
            tried[settings] = sum(phone_errors(_decoded(decoder_of(counts, settings), outputs, split), split.labels)[0])
        return tried[settings]

    best = Settings()
    while True:
        start = best
        for name, values in GRID.items():
            for value in values:
                other = replace(best, **{name: value})
                best = other if errors_of(other) < errors_of(best) else best
        if best == start:
            break
    phones = sum(phone_errors(split.labels, split.labels)[1])
    found = {"validation_errors": errors_of(best), "validation_phones": phones, "validation_utterances": len(outputs)}
    return decoder_of(counts, best, found)


def fitted(model: Any, data: Dataset) -> Decoder:
    """The decoder of a network: fitted on the training labels of a data set, and tuned on its validation split.

    Args:
        model: a network from frames to the probabilities of phones in every step.
        data: the data set; its test split is not read.

    Raises:
        FormatError: if no frame of the training or validation split has a label.
    """
    counts = LabelCounts.of(data.train, len(data.classes))
    if not (data.validation.labels != NO_LABEL).any():
        raise FormatError(
            f"{data.name}: no frame of the validation split has a label; a decoder is tuned on such frames"
        )
    return tuned(counts, log_outputs(predict(model, data.validation)), data.validation)


def phone_rates(decoder: Decoder, probabilities: npt.NDArray[np.float32], split: Split) -> dict[str, float]:
    """Phone error rates by the decoder and greedily, by name.

    Args:
        decoder: the decoder.
        probabilities: (utterances, steps, phones) that a network gives for the split.
        split: whole utterances, with a label for each frame.
    """
    errors, phones = error_of(decoder, probabilities, split)
    greedy = phone_errors(probabilities.argmax(axis=-1), split.labels)[0]
    return {
        "phone_error_rate": sum(greedy) / max(1, sum(phones)),
        "viterbi_phone_error_rate": sum(errors) / max(1, sum(phones)),
    }


def error_of(decoder: Decoder, probabilities: npt.NDArray[np.float32], split: Split) -> tuple[list[int], list[int]]:
    """Phone errors of a decoder, and number of phones, of each utterance of a split.

    Args:
        decoder: the decoder.
        probabilities: (utterances, steps, phones) that a network gives for the split.
        split: whole utterances, with a label for each frame.
    """
    return phone_errors(_decoded(decoder, log_outputs(probabilities), split), split.labels)


def log_outputs(probabilities: npt.NDArray[np.float32]) -> Floats:
    """Logarithms of probabilities: outputs before softmax, less a number that all phones of a frame share."""
    logarithms: Floats = np.log(np.maximum(probabilities.astype(np.float64), LEAST))
    return logarithms


def _decoded(decoder: Decoder, outputs: Floats, split: Split) -> npt.NDArray[np.int64]:
    """The phone of each frame. Sequences end with their last labelled frame."""
    labelled = split.labels != NO_LABEL
    steps = labelled.shape[1] - labelled[:, ::-1].argmax(axis=1)
    return decoder.decode(outputs, np.where(labelled.any(axis=1), np.minimum(steps, split.lengths), split.lengths))


def _scores(values: Floats) -> Any:
    """Logarithms as integer scores, in nested lists."""
    return np.rint(np.maximum(values * UNIT, FORBIDDEN)).astype(np.int64).tolist()
