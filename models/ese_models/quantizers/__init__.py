# SPDX-License-Identifier: Apache-2.0
"""Weight quantizers for QKeras layers that give their integer codes and never undo a mask."""

from ese_models.quantizers.codebook import Codebook
from ese_models.quantizers.kmeans import STARTS, Start
from ese_models.quantizers.masked import MaskedInt4, MaskedTernary
from ese_models.quantizers.twn_ttq import Ttq, Twn

__all__ = ["STARTS", "Codebook", "MaskedInt4", "MaskedTernary", "Start", "Ttq", "Twn"]
