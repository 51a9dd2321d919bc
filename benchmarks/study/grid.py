# SPDX-License-Identifier: Apache-2.0
"""The cells of the five questions. Each varies one factor around 90% PE-balanced int4; trunks are shared."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.study.cell import Option, StudyCell
from ese_host.errors import UnsupportedError
from ese_host.ir import MaskFamily

SPEECH = "festvox-ru"
IMAGES = "fashion-mnist"
FAMILIES: tuple[MaskFamily, ...] = ("magnitude", "pe-balanced", "column-balanced", "gap-aware")
"""Mask families that are compared, in the order of the tables."""
CODES = ("int4", "codebook4", "ttq")
TERNARY = ("ternary", "twn", "ttq")
CENTRE = ("pe-balanced", 0.1, "int4")
"""Masks, density and weights around which one factor at a time is varied."""
CURVE = (0.2, 0.1, 0.05)
"""Densities at which every code is tried with the first seed."""
BEGIN = ("magnitude", 0.2)
"""The pruned network that all other masks on speech start from."""


@dataclass(frozen=True)
class Question:
    """One question of the study.

    Attributes:
        number: number of the question on the page and in options.
        title: text of the question.
        cells: cells whose results answer it.
    """

    number: int
    title: str
    cells: tuple[StudyCell, ...]


@dataclass(frozen=True)
class Epochs:
    """Epochs of each stage on speech.

    Attributes:
        dense: training from random weights.
        begin: pruning to `BEGIN`.
        centre: pruning from there to `CENTRE`'s density, for each family.
        curve: pruning to the other densities.
        tune: training of 4-bit codes.
        ternary: training of ternary codes, which are further from the float network.
    """

    dense: int
    begin: int
    centre: int
    curve: int
    tune: int
    ternary: int


@dataclass(frozen=True)
class StudySize:
    """Size of a study.

    Attributes:
        speech: name of the speech task.
        images: name of the image task.
        speech_epochs: epochs of each stage on speech.
        image_epochs: epochs of dense training, pruning and quantization on images.
        dsd_epochs: epochs of DSD and of its dense control, on speech and on images.
        large_epochs: epochs of the large network: of dense training, pruning, 4-bit codes, ternary codes, and of more
            dense training.
        large: name of the large network.
        seeds: number of seeds on images.
        speech_seeds: number of seeds on speech.
        pes: processing elements that masks are balanced over.
    """

    speech: str
    images: str
    speech_epochs: Epochs
    image_epochs: tuple[int, int, int]
    dsd_epochs: tuple[int, int]
    large_epochs: tuple[int, int, int, int, int]
    large: str
    seeds: int
    speech_seeds: int
    pes: int


SIZES = {
    "full": StudySize(
        SPEECH, IMAGES, Epochs(12, 6, 14, 7, 4, 8), (20, 60, 10), (6, 8), (16, 24, 3, 10, 16), "qlstmp-1024", 3, 1, 32
    ),
    "tiny": StudySize(
        "japanese-vowels", "digits", Epochs(2, 2, 2, 2, 2, 2), (2, 2, 2), (1, 1), (1, 1, 1, 1, 2), "qlstmp-8", 2, 1, 4
    ),
}
"""Sizes by name: "full" is the study, "tiny" exercises all its code in about a minute."""


def questions(grid: str = "full") -> tuple[Question, ...]:
    """The questions of a grid.

    Raises:
        UnsupportedError: if there is no such grid.
    """
    if grid not in SIZES:
        raise UnsupportedError(f"grid is {grid!r}; allowed: {', '.join(SIZES)}")
    size = SIZES[grid]
    return (
        Question(1, "Deep Compression of LeNet-300-100 on Fashion-MNIST", _deep_compression(size)),
        Question(2, "Pruning, balance and weight codes on frame-wise phones", _balance(size)),
        Question(3, "TTQ, TWN and int4 at equal sparsity", _ternary(size)),
        Question(4, "Dense-sparse-dense against as many epochs of dense training", _dsd(size)),
        Question(5, "ESE's layer at its size", _large(size)),
    )


def _deep_compression(size: StudySize) -> tuple[StudyCell, ...]:
    dense, prune, tune = size.image_epochs
    cells = []
    for seed in range(size.seeds):
        trunk = StudyCell(size.images, "dense", dense, seed)
        # as in the paper: 8% of all weights are kept, and about a quarter of the small last layer
        pruned = trunk.then("pruned", prune, family="magnitude", density=0.08, options=(("last_emphasis", 3.25),))
        cells += [trunk, pruned, pruned.then("quantized", tune, weights="codebook4")]
    return tuple(cells)


def _balance(size: StudySize) -> tuple[StudyCell, ...]:
    cells = []
    for seed in range(size.speech_seeds):
        densities = (CENTRE[1],) if seed else CURVE
        masks = dict.fromkeys([*((family, CENTRE[1]) for family in FAMILIES), *((CENTRE[0], d) for d in densities)])
        wanted = [(family, density, CENTRE[2]) for family, density in masks]
        wanted += [(CENTRE[0], density, code) for density in densities for code in CODES]
        pruned = {key: _pruned(size, seed, *key) for key in masks}
        cells += [_speech(size, seed), _control(size, seed), _pruned(size, seed, *BEGIN), *pruned.values()]
        cells += [_quantized(size, pruned[family, density], code) for family, density, code in dict.fromkeys(wanted)]
    return tuple(cells)


def _ternary(size: StudySize) -> tuple[StudyCell, ...]:
    trunks = [_pruned(size, seed, CENTRE[0], CENTRE[1]) for seed in range(size.speech_seeds)]
    return tuple(_quantized(size, trunk, code) for trunk in trunks for code in ("int4", *TERNARY))


def _dsd(size: StudySize) -> tuple[StudyCell, ...]:
    short, long = size.dsd_epochs
    cells = []
    for seed in range(size.seeds):
        trunk = StudyCell(size.images, "dense", size.image_epochs[0], seed)
        cells += [trunk, trunk.then("dense", long), trunk.then("dsd", long, family="magnitude", density=0.6)]
    for seed in range(size.speech_seeds):
        trunk = _speech(size, seed)
        cells += [trunk, _control(size, seed), trunk.then("dsd", short, family="magnitude", density=0.6)]
    return tuple(cells)


def _large(size: StudySize) -> tuple[StudyCell, ...]:
    dense, prune, tune, ternary, longer = size.large_epochs
    fast: tuple[tuple[str, Option], ...] = (("products", "bfloat16"),)
    options = (*fast, *_even(), ("pes", size.pes if size.large == "qlstmp-8" else 64), ("rate", 3e-3))
    trunk = StudyCell(size.speech, "dense", dense, network=size.large, options=fast)
    pruned = trunk.then("pruned", prune, family=CENTRE[0], density=CENTRE[1], options=options)
    codes = [pruned.then("quantized", n, weights=w, options=options) for w, n in (("int4", tune), ("ttq", ternary))]
    return (trunk, trunk.then("dense", longer, options=fast), pruned, *codes)


def _even() -> tuple[tuple[str, Option], ...]:
    """Options that give every kernel the same density."""
    return (("input_emphasis", 1.0), ("last_emphasis", 1.0))


def _speech(size: StudySize, seed: int) -> StudyCell:
    return StudyCell(size.speech, "dense", size.speech_epochs.dense, seed)


def _control(size: StudySize, seed: int) -> StudyCell:
    """The dense network, trained for longer."""
    return _speech(size, seed).then("dense", size.dsd_epochs[0])


def _pruned(size: StudySize, seed: int, family: str, density: float) -> StudyCell:
    """A cell of iterative pruning as in NIPS'15: unbalanced to 80%, then each family to 80 and 90%, then further."""
    options: tuple[tuple[str, Option], ...] = (("pes", size.pes),)
    epochs = size.speech_epochs.centre if density == CENTRE[1] else size.speech_epochs.curve
    if (family, density) == BEGIN:
        trunk, epochs = _speech(size, seed), size.speech_epochs.begin
    elif density >= CENTRE[1]:
        trunk = _pruned(size, seed, *BEGIN)
    else:
        trunk = _pruned(size, seed, family, CENTRE[1])
    return trunk.then("pruned", epochs, family=family, density=density, options=options)


def _quantized(size: StudySize, pruned: StudyCell, code: str) -> StudyCell:
    epochs = size.speech_epochs.ternary if code in TERNARY else size.speech_epochs.tune
    return pruned.then("quantized", epochs, weights=code, options=pruned.options)
