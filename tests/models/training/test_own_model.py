# SPDX-License-Identifier: Apache-2.0
"""Any Keras model under masks and quantizers, trained by its own `fit`: masks hold, are saved, and are balanced."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from ese_host.errors import FormatError, UnsupportedError
from ese_host.image import Interleave
from ese_models.masking import GroupingSchedule, MaskPlan, PruningSchedule, sparsity, stored_codes
from ese_models.networks import MaskConstraint, masks_on, prunable, strip
from ese_models.networks.inspection import load_model
from ese_models.pruning import keep_per_pe, pe_balanced
from ese_models.pruning.masks import Floats, Mask
from ese_models.records.provenance import mask_fields
from ese_models.training import own_model
from ese_models.training.fit_data import loss_for, ranges_of

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(48, 6, 5)).astype(np.float32), RNG.integers(0, 3, 48)
EVEN: dict[str, Any] = {"emphasis": (1.0, 1.0), "family": "pe-balanced", "pes": 4, "density": 0.25}


def head(x: Any) -> Any:
    return kl.Dense(3, activation="softmax", name="out")(x)


def plain() -> Any:
    return keras.Sequential(
        [keras.Input((6, 5), name="in"), kl.LSTM(8, name="rnn"), kl.Dense(3, "softmax", name="out")]
    )


def two_inputs() -> Any:
    a, b = keras.Input((6, 5), name="a"), keras.Input((4,), name="b")
    both = kl.Concatenate()([kl.LSTM(8, name="rnn")(a), kl.Dense(8, "relu", name="side")(b)])
    return keras.Model([a, b], head(both))


def nested() -> Any:
    inner = keras.Sequential([keras.Input((6, 5)), kl.LSTM(8, name="rnn")], name="inner")
    a = keras.Input((6, 5))
    return keras.Model(a, head(inner(a)))


def wrapped() -> Any:
    a = keras.Input((6, 5))
    both = kl.Bidirectional(kl.LSTM(4, return_sequences=True), name="both")(a)
    wide = kl.TimeDistributed(kl.Dense(8, "tanh"), name="each")(both)
    return keras.Model(a, head(kl.LSTM(8, name="rnn")(wide)))


def gated() -> Any:
    a = keras.Input((6, 5))
    first = kl.GRU(8, return_sequences=True, name="after")(a)
    return keras.Model(a, head(kl.GRU(8, reset_after=False, name="before")(first)))


def mixed() -> Any:
    inner = keras.Sequential([keras.Input((6, 5)), kl.GRU(8, return_sequences=True, name="rnn")], name="inner")
    a = keras.Input((6, 5))
    both = kl.Bidirectional(kl.GRU(4, reset_after=False, return_sequences=True), name="both")(inner(a))
    return keras.Model(a, head(kl.LSTM(8, name="rnn")(both)))


def indexed() -> Any:
    a = keras.Input((6,), dtype="int32")
    return keras.Model(a, head(kl.LSTM(8, name="rnn")(kl.Embedding(7, 5, mask_zero=True)(a))))


MODELS: dict[Callable[[], Any], Any] = {
    plain: X,
    two_inputs: [X, 3 * RNG.normal(size=(48, 4)).astype(np.float32)],
    nested: X,
    wrapped: X,
    gated: X,
    mixed: X,
    indexed: RNG.integers(1, 7, (48, 6)),
}


def compiled(model: Any, eager: bool = True) -> Any:
    # eager, because a graph takes longer to compile than these models take to train
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=eager, jit_compile=False)
    return model


def is_balanced(model: Any, density: float, pes: int) -> bool:
    """Whether every PE stores the number of weights of each kernel that the density gives it, or all that it has."""
    for kernel in sparsity(model, pes, gap_bits=12).kernels:
        keep = keep_per_pe(kernel.weights, density, pes)
        if not all(
            entries == keep or (entries < keep and kernel.name == "out/kernel") for entries in kernel.entries_per_pe
        ):
            return False
    return True


@pytest.mark.parametrize(
    "make",
    [make if make in (plain, two_inputs) else pytest.param(make, marks=pytest.mark.slow) for make in MODELS],
    ids=lambda make: make.__name__,
)
def test_a_model_of_any_shape_is_compressed(make: Callable[[], Any], tmp_path: Path) -> None:
    x, model = MODELS[make], compiled(make())
    before = [array.copy() for array in model.get_weights()]
    sparse = own_model.compress(model, (x, Y), epochs=1, verbose=0, **EVEN)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert is_balanced(sparse, 0.25, 4) and list(masks_on(sparse)) == list(prunable(model))
    codes = stored_codes(sparse)
    assert all(((codes[name] != 0) == mask).all() for name, mask in masks_on(sparse).items())
    assert all(set(np.unique(array)) <= {-1, 0, 1} for array in codes.values())
    sparse.save(tmp_path / "sparse.keras")
    again = load_model(tmp_path / "sparse.keras")
    assert (again.predict(x, verbose=0) == sparse.predict(x, verbose=0)).all()
    assert all((mask == masks_on(sparse)[name]).all() for name, mask in masks_on(again).items())
    assert {kernel.constraint.pes for kernel in prunable(again).values()} == {4}
    compiled(again).fit(x, Y, verbose=0)  # a loaded model trains on under its masks
    assert all(((stored_codes(again)[name] != 0) == mask).all() for name, mask in masks_on(sparse).items())


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, marks=pytest.mark.slow) if make in (gated, mixed, wrapped, indexed) else make
        for make in MODELS
    ],
    ids=lambda make: make.__name__,
)
def test_a_copy_computes_what_the_model_computes(make: Callable[[], Any]) -> None:
    model = make()
    expected = model.predict(MODELS[make], verbose=0)
    assert (strip(model).predict(MODELS[make], verbose=0) == expected).all()
    pruned = own_model.prune(model, density=1.0, pes=2)
    assert (pruned.predict(MODELS[make], verbose=0) == expected).all()
    # 16-bit formats and a 4-bit code for each weight: near, but no copy
    coded = own_model.quantize(pruned, "int4", data=(MODELS[make], Y)).predict(MODELS[make], verbose=0)
    assert 0 < np.abs(coded - expected).max() < 0.2


@pytest.mark.parametrize("weights", ["ttq", pytest.param("codebook4", marks=pytest.mark.slow)])
def test_learned_weights_train_in_fit(weights: Any) -> None:
    pruned = own_model.prune(plain(), weights=weights, **EVEN)
    twin = compiled(own_model.quantize(pruned, weights, data=(X, Y)))
    plan = {**EVEN, "weights": weights}
    twin.fit(X, Y, epochs=2, verbose=0, callbacks=[GroupingSchedule(**plan, rounds=2)])
    assert is_balanced(twin, 0.25, 4)
    for name, kernel in prunable(twin).items():
        values, codes = np.asarray(kernel.variable).T, stored_codes(twin)[name]
        assert ((values != 0) == (codes != 0)).all()
        assert weights != "codebook4" or len(np.unique(values)) <= 16
    assert (strip(twin).predict(X, verbose=0) == twin.predict(X, verbose=0)).all()  # with each quantizer's own state


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return X[16 * index : 16 * index + 16], Y[16 * index : 16 * index + 16]


@pytest.mark.parametrize("data", [tf.data.Dataset.from_tensor_slices((X, Y)).batch(16), Batches()])
def test_data_sets_of_batches_are_taken(data: Any) -> None:
    sparse = own_model.compress(compiled(plain()), data, epochs=(2, 1), verbose=0, weights="float", **EVEN)
    assert is_balanced(sparse, 0.25, 4) and sparse.compiled
    assert ranges_of(sparse, data) == {"in": float(np.abs(X).max())}


def test_the_schedule_prunes_a_model_while_its_own_fit_trains_it() -> None:
    model = compiled(plain(), eager=False)
    model.fit(X, Y, verbose=0)  # the compiled step of a model without masks must not be used again
    shares: list[float] = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: shares.append(sparsity(model, 4).density))
    model.fit(X, Y, epochs=8, verbose=0, callbacks=[PruningSchedule(**EVEN, rounds=4), note])
    assert is_balanced(model, 0.25, 4)
    assert shares == sorted(shares, reverse=True) and shares[0] > 0.4 and len(set(shares)) > 2


def test_a_family_of_one_s_own_prunes_and_is_recorded_by_name(tmp_path: Path) -> None:
    densities: list[float] = []

    def own(weights: Floats, density: float, interleave: Interleave) -> Mask:
        densities.append(density)
        return pe_balanced(weights, density, interleave)

    model, plan = compiled(plain()), {**EVEN, "family": own}
    sparse = own_model.compress(model, (X, Y), epochs=1, verbose=0, **plan)
    assert is_balanced(sparse, 0.25, 4) and densities[0] > densities[-1] == 0.25
    sparse.save(tmp_path / "sparse.keras")  # the masks, not the function
    loaded = masks_on(load_model(tmp_path / "sparse.keras"))
    assert all((mask == masks_on(sparse)[name]).all() for name, mask in loaded.items())
    assert mask_fields(model, sparse, MaskPlan(**plan))["family"] == "own"
    with pytest.raises(UnsupportedError, match=r"mask family is 'own'; allowed: .*, or a function of your own"):
        own_model.prune(model, **{**EVEN, "family": "own"})


def test_a_large_loss_is_a_warning() -> None:
    model = keras.Sequential([keras.Input((4,)), kl.Dense(1, name="sum")])
    model.compile("adam", "mse", run_eagerly=True)
    model.set_weights([np.ones((4, 1)), np.zeros(1)])
    x = RNG.normal(size=(64, 4)).astype(np.float32)
    with pytest.warns(
        own_model.CompressionWarning, match=r"^explained variance on the training samples fell from 100\.0%"
    ):
        own_model.compress(model, (x, x.sum(axis=1)), density=0.25, pes=1, epochs=1, verbose=0)


def test_a_layer_is_pruned_in_place_and_keeps_its_own_constraint(tmp_path: Path) -> None:
    layer = kl.Dense(8, kernel_constraint=keras.constraints.MaxNorm(0.5), name="d")
    model = keras.Sequential([keras.Input((6,)), layer])
    assert own_model.prune(layer, density=0.5, pes=2) is layer
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 6)), np.full((8, 8), 100.0), epochs=3, verbose=0)
    kernel = np.asarray(layer.kernel)
    assert (kernel != 0).sum() == 24 and np.linalg.norm(kernel, axis=0).max() <= 0.5 + 1e-6
    model.save(tmp_path / "m.keras")
    held = load_model(tmp_path / "m.keras").layers[0].kernel_constraint
    assert isinstance(held, MaskConstraint) and isinstance(held.before, keras.constraints.MaxNorm)
    assert isinstance(strip(model).layers[0].kernel_constraint, keras.constraints.MaxNorm)


def test_a_pruned_model_without_masks_is_plain_keras(tmp_path: Path) -> None:
    stripped = strip(own_model.prune(plain(), **EVEN))
    assert not masks_on(stripped) and is_balanced(stripped, 0.25, 4)
    assert {type(layer).__module__.split(".")[0] for layer in stripped.layers} == {"keras"}
    stripped.save(tmp_path / "m.keras")
    assert b"ese4ml" not in (tmp_path / "m.keras").read_bytes()


@pytest.mark.parametrize(
    ("last", "labels", "expected"),
    [
        (kl.Dense(3, "softmax"), Y, "sparse_categorical_crossentropy"),
        (kl.Dense(3, "softmax"), np.eye(3)[Y], "categorical_crossentropy"),
        (kl.Dense(1, "sigmoid"), Y, "binary_crossentropy"),
        (kl.Dense(2), RNG.normal(size=(48, 2)), "mean_squared_error"),
    ],
)
def test_a_model_that_is_not_compiled_gets_the_loss_that_fits(last: Any, labels: Any, expected: str) -> None:
    assert loss_for(keras.Sequential([keras.Input((6, 5)), kl.LSTM(4), last]), (X, labels)) == expected


def test_the_summary_counts_every_kernel() -> None:
    found = sparsity(own_model.prune(plain(), **EVEN))
    assert (found.pes, found.weights) == (4, 5 * 32 + 8 * 32 + 8 * 3)
    assert str(found).splitlines() == [
        "kernel                shape  kept  of   density  entries per PE  masked",
        "rnn/kernel            5x32   40    160  25.0%    10 to 10        yes",
        "rnn/recurrent_kernel  8x32   64    256  25.0%    16 to 16        yes",
        "out/kernel            8x3    6     24   25.0%    0 to 2          yes",
        "all                          110   440  25.0%",
        f"balance over 4 PEs: {found.balance:.1%}",
    ]


class OwnLoop(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.d = kl.Dense(3)

    def call(self, x: Any) -> Any:
        return self.d(x)


def simple() -> Any:
    inner = keras.Sequential([keras.Input((6, 5)), kl.SimpleRNN(4, name="old")], name="inner")
    a = keras.Input((6, 5))
    return keras.Model(a, head(inner(a)))


def built_subclass() -> Any:
    model = OwnLoop()
    model(np.ones((1, 4)))
    return model


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (
            lambda: own_model.prune(built_subclass()),
            UnsupportedError,
            "the model is a OwnLoop without inputs of known",
        ),
        (lambda: own_model.prune(kl.Dense(3)), UnsupportedError, "layer 'dense[_0-9]*' has no weights yet; call the"),
        (
            lambda: own_model.prune(keras.Sequential([keras.Input((3,)), kl.ReLU()])),
            UnsupportedError,
            "the model has the",
        ),
        (lambda: own_model.prune(plain(), desity=0.1), UnsupportedError, "there is no option 'desity'; the options of"),
        (
            lambda: own_model.prune(plain(), density=0.0),
            UnsupportedError,
            "density is 0.0; above 0, at most 1 is allowed",
        ),
        (
            lambda: own_model.quantize(plain(), "int3"),  # type: ignore[arg-type]
            UnsupportedError,
            "weights are 'int3'; to quantize, choose one of",
        ),
        (lambda: own_model.compress(plain(), (X * np.nan, Y)), FormatError, "input 'in' of the data is not finite"),
        (lambda: own_model.compress(two_inputs(), (X, Y)), FormatError, "the data has 1 inputs; the model has 2: a, b"),
        (lambda: own_model.compress(plain(), (X, Y), epochs=0), UnsupportedError, "epochs of the stage 'prune' are 0"),
        (
            lambda: own_model.compress(plain(), Batches()),
            UnsupportedError,
            "the model is not compiled, and its loss can",
        ),
        (lambda: own_model.compress(plain(), X), FormatError, "the data is a ndarray; expected is a pair"),
        (lambda: own_model.compress(plain(), (X, Y[:9])), FormatError, r"the data has \[9, 48\] samples and labels"),
        (
            lambda: own_model.compress(plain(), (X[..., :3], Y)),
            FormatError,
            r"samples of the data have shape \(6, 3\);",
        ),
        (
            lambda: own_model.compress(compiled(plain()), (X, Y + 9)),
            FormatError,
            "Keras cannot train the model on the da",
        ),
        (lambda: own_model.compress(compiled(plain()), (X, np.eye(3)[Y])), FormatError, "Keras cannot train the model"),
        (
            lambda: own_model.compress(simple(), (X, Y)),
            UnsupportedError,
            "layer 'old' is a SimpleRNN; the engine has LSTM",
        ),
        (lambda: PruningSchedule(finished=0.0), UnsupportedError, "the last of 40 rounds is due at 0.0 of the steps"),
        (lambda: sparsity(plain(), pes=257), UnsupportedError, "pes is 257; 1 to 256 are allowed"),
    ],
)
def test_what_cannot_be_compressed_is_refused(act: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        act()
