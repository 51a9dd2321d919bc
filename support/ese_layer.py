# SPDX-License-Identifier: Apache-2.0
"""ESE's layer (FPGA'17): 153 inputs, 1024 cells, peepholes, projection 512, with seeded heavy-tailed weights."""

from __future__ import annotations

import numpy as np

from ese_host.image import Interleave
from ese_host.ir import CELL_ROWS, Activation, Codes, Fixed, Lstm, MaskFamily, Matrix, Network, WeightKind
from ese_models.pruning import mask_for

INPUTS, CELLS, PROJECTED = 153, 1024, 512
WEIGHTS = 4 * CELLS * (INPUTS + PROJECTED) + CELLS * PROJECTED


def ese_layer(
    pes: int,
    *,
    density: float = 0.1,
    weights: WeightKind = "ternary",
    family: MaskFamily = "gap-aware",
    gap_bits: int = 5,
    seed: int = 0,
) -> Network:
    """ESE's layer as a network. Weights are drawn from Student's t with 3 degrees of freedom, which has heavy tails.

    Args:
        pes: processing elements that the masks are balanced over.
        density: share of the weights that is kept, above 0 to 1.
        weights: kind of the weight codes, "ternary" or "int4".
        family: mask family that chooses the kept weights.
        gap_bits: bits of the relative index, for families that count padding.
        seed: of the random generator.
    """
    rng = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, places: tuple[int, ...] = CELL_ROWS) -> Matrix:
        values = rng.standard_t(3, (rows, columns))
        kept = mask_for(family, values, density, Interleave(rows, pes, places), weights, gap_bits)
        levels: Codes = np.sign(values).astype(np.int64)
        if weights == "int4":
            levels *= np.clip(np.rint(np.abs(values)), 1, 7).astype(np.int64)
        return Matrix(levels * kept, weights, np.full((2, rows), 1500, dtype=np.int64), 16)

    state = Fixed(16, 4)
    layer = Lstm(
        name="lstm",
        kernel=matrix(4 * CELLS, INPUTS),
        recurrent=matrix(4 * CELLS, PROJECTED),
        bias=rng.integers(-4096, 4096, 4 * CELLS),
        bias_frac=12,
        gate=Activation("sigmoid", Fixed(16, 0, signed=False)),
        cell=Activation("tanh", Fixed(16, 1)),
        source=state,
        state=state,
        output=Fixed(16, 1),
        return_sequences=True,
        peepholes=rng.integers(-1024, 1024, (3, CELLS)),
        projection=matrix(PROJECTED, CELLS, (0,)),
    )
    return Network((layer,), state)
