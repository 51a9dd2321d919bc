# SPDX-License-Identifier: Apache-2.0
"""Properties of each step of a program, and the errors of programs and inputs that do not fit together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ese_host.errors import CapacityError, EseError, FormatError, UnsupportedError
from ese_host.files import encode
from ese_host.ir import golden
from ese_host.ir.activations import Activation
from ese_host.ir.fixed import Fixed
from ese_host.ir.program import (
    Affine,
    Apply,
    Chain,
    Concatenate,
    Last,
    Mask,
    Merge,
    Output,
    Port,
    Program,
    Quantize,
    Relu,
    Repeat,
    Reshape,
    Reverse,
    Tensor,
    Unmask,
    Value,
    run,
)
from support.networks import Spec, inputs, network
from support.programs import SOURCE, bidirectional
from support.second_decoder import SampleFrames, apply

SEEDS = st.integers(0, 2**32 - 1)


def sequence(rng: np.random.Generator, width: int = 3, form: Fixed = SOURCE) -> Value:
    steps = rng.integers(1, 6, 4)
    codes = rng.integers(form.low, form.high + 1, (4, steps.max(), width))
    codes[np.arange(steps.max()) >= steps[:, None]] = 0
    return Value(Tensor.of(form, width, "sequence", None), codes, steps.astype(np.int64))


@given(SEEDS)
def test_reverse_twice_is_the_identity(seed: int) -> None:
    value = sequence(np.random.default_rng(seed))
    once = Reverse("a", "b").apply(value)
    twice = Reverse("b", "c").apply(once)
    np.testing.assert_array_equal(twice.codes, value.codes)
    np.testing.assert_array_equal(once.codes[:, 0], Last("a", "b").apply(value).codes[:, 0])


@given(SEEDS, st.integers(2, 16), st.integers(-3, 8))
def test_quantize_is_idempotent(seed: int, bits: int, integer: int) -> None:
    step = Quantize("a", "b", Fixed(bits, integer))
    once = step.apply(sequence(np.random.default_rng(seed)))
    twice = step.apply(once)
    np.testing.assert_array_equal(once.codes, twice.codes)
    assert twice.tensor == once.tensor and once.tensor.fits(step.format)


@given(SEEDS)
def test_what_is_concatenated_can_be_told_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = sequence(rng, 2)
    b = Quantize("a", "b", Fixed(9, 4)).apply(a)
    joined = Concatenate(("a", "b"), "c").apply(a, b)
    assert joined.tensor.width == 4 and joined.tensor.frac == SOURCE.frac
    np.testing.assert_array_equal(joined.codes[..., :2], a.codes)
    np.testing.assert_array_equal(joined.codes[..., 2:], b.codes << (SOURCE.frac - 5))


@given(SEEDS)
def test_mask_leaves_the_steps_that_differ(seed: int) -> None:
    rng = np.random.default_rng(seed)
    value = sequence(rng, 2, Fixed(2, 2))
    kept = [[f.tolist() for f in s[:n] if (f != -1).any()] for s, n in zip(value.codes, value.steps, strict=True)]
    if not all(kept):
        with pytest.raises(FormatError, match=r"sample \d has only masked steps; at least one other is needed: "):
            Mask("a", "b", -1).apply(value)
        return
    masked = Mask("a", "b", -1).apply(value)
    assert [s[:n].tolist() for s, n in zip(masked.codes, masked.steps, strict=True)] == kept


@given(SEEDS, st.booleans())
def test_mask_and_unmask_equal_the_second_decoder(seed: int, other: bool) -> None:
    """A mask may be told by another tensor of the same steps."""
    rng = np.random.default_rng(seed)
    told = sequence(rng, 1, Fixed(2, 2))
    codes = rng.integers(-99, 99, (*told.codes.shape[:2], 3)) * told.inside
    value = Value(Tensor(3, 1, -99, 99, "sequence", None), codes, told.steps) if other else told
    step = Mask("a", "b", -1, "told" if other else None)
    back = Unmask(("b", "told"), "c", code=-1, fill="last")
    try:
        masked = step.apply(*(value, told)[: 1 + other])
    except FormatError:
        return  # A sample with no unmasked step is refused, as the test above shows.
    restored = back.apply(masked, told)
    for sample in range(len(told.steps)):
        frames, by = (
            SampleFrames(item.tensor.frac, item.codes[sample, : item.steps[sample]].tolist()) for item in (value, told)
        )
        kept = apply(encode(step, None, "class"), *(frames, by)[: 1 + other])
        assert kept.codes == masked.codes[sample, : masked.steps[sample]].tolist()
        again = apply(encode(back, None, "class"), kept, by)
        assert again.codes == restored.codes[sample, : restored.steps[sample]].tolist()


@given(st.integers(-8, 7), st.lists(st.floats(-20, 20, width=32), min_size=1))
def test_an_exact_code_stands_only_for_its_own_value(exact: int, values: list[float]) -> None:
    port = Port("x", 1, Fixed(4, 3), exact=exact)
    given_values = np.array([*values, exact / 2, np.nextafter(np.float32(exact / 2), np.float32(9))])
    codes, plain = port.codes(given_values), Fixed(4, 3).from_float(given_values)
    assert ((codes == exact) == (given_values == exact / 2)).all()
    assert (np.abs(codes - plain) <= 1).all() and (codes[codes != plain] != exact).all()
    assert ((codes == plain) | (plain == exact)).all()
    assert (codes >= -8).all() and (codes <= 7).all()


def test_an_exact_code_is_one_of_its_format() -> None:
    with pytest.raises(FormatError, match=r"^input 'x' has the exact code 8; its format holds -8\.\.7: "):
        Port("x", 1, Fixed(4, 3), exact=8)


@given(SEEDS, st.sampled_from(["zero", "last"]))
def test_unmask_puts_every_step_back(seed: int, fill: Any) -> None:
    value = sequence(np.random.default_rng(seed), 2, Fixed(2, 2))
    try:
        masked = Mask("a", "b", -1).apply(value)
    except FormatError:
        return  # A sample with no unmasked step is refused, as the test above shows.
    restored = Unmask(("b", "a"), "c", code=-1, fill=fill).apply(masked, value)
    assert restored.steps.tolist() == value.steps.tolist() and restored.tensor.steps == value.tensor.steps
    for frames, original, steps in zip(restored.codes, value.codes, value.steps, strict=True):
        before = np.zeros(2, dtype=np.int64)
        for frame, source in zip(frames[:steps], original[:steps], strict=True):
            kept = (source != -1).any()
            before = source if kept else before if fill == "last" else np.zeros(2, dtype=np.int64)
            assert frame.tolist() == before.tolist()


def test_unmask_reads_the_tensor_that_was_masked() -> None:
    tensor = Tensor.of(SOURCE, 2, "sequence", None)
    one, other = (Value(tensor, np.ones((1, steps, 2), dtype=np.int64), np.array([steps])) for steps in (3, 2))
    with pytest.raises(
        FormatError,
        match=r"^the mask leaves \[2\] steps, but \[3\] arrive; expected the same: read the tensor that was masked$",
    ):
        Unmask(("a", "b"), "c", code=-1).apply(one, other)
    with pytest.raises(FormatError, match=r"^it reads 1 tensors; two sequences are expected$"):
        Unmask(("a",), "c", code=-1).infer(tensor)


def test_a_chain_that_runs_backwards_hands_back_the_order_of_its_input() -> None:
    rng = np.random.default_rng(3)
    net = network(rng, Spec(inputs=3, units=(4,), outputs=0, sequences=True))
    codes = inputs(rng, net, 2, 4)
    back = Program((Port("x", 3, SOURCE),), (Chain("c", net, "x", "y", backwards=True),), (Output("y", "y"),))
    result = run(back, codes, [4, 2])
    np.testing.assert_array_equal(result.tensors["y"].codes[0], golden.run(net, codes[:1, ::-1]).outputs[0, ::-1])
    np.testing.assert_array_equal(result.tensors["y"].codes[1, :2], golden.run(net, codes[1:, 1::-1]).outputs[0, ::-1])
    np.testing.assert_array_equal(result.fed["c"].codes[1, :2], codes[1, 1::-1])


def test_a_lone_chain_is_its_network() -> None:
    rng = np.random.default_rng(4)
    net = network(rng, Spec())
    codes = inputs(rng, net, 3, 5)
    np.testing.assert_array_equal(run(Program.of(net), codes).tensors["output"].codes, golden.run(net, codes).outputs)


X_PORT = Port("x", 5, SOURCE)


def one(*steps: Any, ports: tuple[Port, ...] = (X_PORT,), tensor: str = "x") -> Program:
    chain = Chain("chain", network(np.random.default_rng(0), Spec()), "x", "y")
    return Program(ports, (chain, *steps), (Output(tensor, "out"),))


HARD = Activation("hard_tanh", Fixed(8, 1), 32768, 0)
REFUSALS: dict[str, tuple[Any, type[EseError], str]] = {
    "no chain": (
        lambda: Program((X_PORT,), (Relu("x", "r"),), (Output("r", "out"),)), UnsupportedError,
        "the program has no chain; it needs one LSTM, GRU or Dense layer at least",
    ),
    "unknown source": (
        lambda: one(Relu("z", "r")), FormatError, r"step Relu 'r' reads 'z'; computed before it are \['x', 'y'\]",
    ),
    "name twice": (lambda: one(Relu("y", "x")), FormatError, "the tensor name 'x' occurs twice; names must be unique"),
    "unknown output": (lambda: one(tensor="w"), FormatError, r"output 'out' is tensor 'w'; there are \['x', 'y'\]"),
    "width": (
        lambda: one(Chain("c", network(np.random.default_rng(0), Spec(inputs=2)), "x", "z")), FormatError,
        "step Chain 'c': it takes frames of 2 elements; frames of 5 arrive",
    ),
    "format": (
        lambda: one(Chain("c", network(np.random.default_rng(0), Spec(source=Fixed(16, 3))), "x", "z")), FormatError,
        r"step Chain 'c': it reads fixed<16,3>; codes -32768..32767 with "
        "14 fractional bits arrive: put a Quantize before it",
    ),
    "vector": (
        lambda: one(Last("x", "l"), Chain("c", network(np.random.default_rng(0), Spec()), "l", "z")), UnsupportedError,
        "step Chain 'c': its layer 'lstm0' reads a sequence; a vector arrives: put a RepeatVector before it",
    ),
    "weights": (
        lambda: one(Chain("c", network(np.random.default_rng(0), Spec(kind="int4")), "x", "z")), UnsupportedError,
        r"layers have ternary \('lstm0'\) and int4 \('lstm0'\) weights; an engine holds one kind: "
        "quantize all kernels alike",
    ),
    "varying length": (
        lambda: one(Reshape("x", "r", None, 10)), UnsupportedError,
        "step Reshape 'r': it reshapes sequences of one known length; lengths vary here: give the model's input a "
        "fixed length",
    ),
    "elements": (
        lambda: one(Last("x", "l"), Reshape("l", "r", 2, 3)), FormatError,
        "step Reshape 'r': it makes 2 x 3 elements; 1 x 5 arrive",
    ),
    "kinds": (
        lambda: one(Last("x", "l"), Concatenate(("x", "l"), "r")), FormatError,
        "step Concatenate 'r': a sequence and a vector arrive; all must be of one kind: repeat the vector, or take the "
        "last step",
    ),
    "too wide": (
        lambda: one(Merge("multiply", ("x", "x", "x", "x", "x"), "m")), CapacityError,
        "step Merge 'm': values may need codes -3.*; a code has at most 62 bits: put a quantizer before it",
    ),
    "three": (
        lambda: one(Merge("average", ("x", "x", "x"), "m")), FormatError,
        "step Merge 'm': average reads 3 tensors; only a power of two is exact: add them, and scale by an Affine",
    ),
    "hard": (
        lambda: one(Affine("x", "a", np.ones(5, np.int64), 30, np.zeros(5, np.int64), 0), Apply("a", "h", HARD)),
        CapacityError,
        "step Apply 'h': a hard activation reads 44 fractional bits; at most 39 are allowed: quantize its input",
    ),
    "bomb": (
        lambda: one(Last("x", "l"), Repeat("l", "r", 1 << 40)), FormatError,
        r"step Repeat 'r': a tensor has 1099511627776 steps; 1 to 65535 are allowed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_what_does_not_fit_is_refused(case: str) -> None:
    build, error, message = REFUSALS[case]
    with pytest.raises(error, match=f"^{message}$"):
        build()


def test_inputs_that_do_not_fit_are_refused() -> None:
    program = one(ports=(X_PORT, Port("v", 2, Fixed(4, 4), "vector"), Port("s", 1, Fixed(4, 4), steps=2)))
    x, v, s = np.zeros((3, 2, 5), np.int64), np.zeros((3, 2), np.int64), np.zeros((3, 2, 1), np.int64)
    run(program, [x, v, s])
    for given_inputs, message in {
        "missing": (
            [x, v],
            r"inputs are \[\]; the program has \['x', 'v', 's'\]: give each of them, by name or in order",
        ),
        "count": ([x, v[:2], s], r"inputs have {'x': 3, 'v': 2, 's': 3} samples; all must have the same number"),
        "range": (
            [x, v + 8, s],
            r"input 'v': codes span 8\.\.8; its format holds -8\.\.7: quantize with Fixed\.from_float",
        ),
        "steps": ([x, v, s[:, :1]], "input 's': samples have 1 to 1 steps; 2 are expected of each"),
    }.values():
        with pytest.raises(FormatError, match=f"^{message}$"):
            run(program, given_inputs)
    with pytest.raises(
        FormatError, match=r"^input 'x': lengths are \[2, 3, 1\] ...; expected 1 to T steps for each of 3"
    ):
        run(program, [x, v, s], {"x": [2, 3, 1]})
    with pytest.raises(
        FormatError, match=r"^lengths are given for \['z'\]; the program's inputs are \['x', 'v', 's'\]$"
    ):
        run(program, [x, v, s], {"z": [2, 2, 2]})
    meeting = one(Concatenate(("x", "w"), "m"), ports=(X_PORT, Port("w", 5, SOURCE)), tensor="m")
    with pytest.raises(
        FormatError, match=r"^samples have \[2, 2, 2\] steps in one tensor and \[2, 1, 2\] in another with which it is"
    ):
        run(meeting, [x, x], {"w": [2, 1, 2]})


def test_a_bidirectional_program_names_what_it_knows() -> None:
    program = bidirectional(np.random.default_rng(0))
    assert [chain.name for chain in program.chains] == [
        "one_forward", "one_backward", "two_forward", "two_backward", "classes",
    ]  # fmt: skip
    assert program.tensors["one"].steps is None and program.tensors["two"].kind == "vector"
