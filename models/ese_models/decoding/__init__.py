# SPDX-License-Identifier: Apache-2.0
"""Phone decoders: hidden Markov models, fitted on the labels of training frames and tuned on the validation split."""

from ese_models.decoding.label_counts import LabelCounts
from ese_models.decoding.tuning import Settings, decoder_of, error_of, fitted, log_outputs, phone_rates, tuned

__all__ = ["LabelCounts", "Settings", "decoder_of", "error_of", "fitted", "log_outputs", "phone_rates", "tuned"]
