# SPDX-License-Identifier: Apache-2.0
"""Hostile images with sound checksums, run by the engine's C++ under sanitizers.

Nothing that an image says may make the C++ overflow a signed integer, shift by too much, or leave an array: hardware
wraps there, and the emulated engine must do something defined too.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ese_hls.emulate.gxx import find_compiler
from ese_hls.encode import encoder
from ese_host import image
from ese_host.errors import EseError
from ese_host.protocol import Words, load_packet, read_trailer, run_packet
from support import compiled_engine
from support.compiling import AP_TYPES
from support.designs import PATTERNS, roomy
from support.fuzz.cases import Case
from support.fuzz.mutators import checked, damage_words, pick
from support.fuzz.verdicts import Verdict
from support.networks import inputs, network, widened

SANITIZE = (
    "-fsanitize=address,undefined,float-cast-overflow,bounds-strict", "-fno-sanitize-recover=all", "-g", "-O1",
    "-fno-omit-frame-pointer",
)  # fmt: skip
IMAGES = {
    f"engine-{name}": name
    for name in (
        "google-lstm", "delta-google", "uneven", "stacked", "int12", "int16", "fc", "delta-stacked", "gru-before",
        "gru-lstm",
    )
}  # fmt: skip
"""{mutator: design of `support.designs`}."""
SECONDS = 20.0
"""Seconds that a case may take under sanitizers, on a busy machine."""
PACKETS = 4


def compile_server(name: str, folder: Path) -> Path:
    """The program that serves packets with the engine of a design, under sanitizers."""
    program = folder / "serve"
    compiled_engine.write_sources(folder, roomy(name)[1])
    command = [
        find_compiler(), "-std=c++14", "-DESE_MACHINE_WORDS", *SANITIZE, "-w", "-I", str(folder / "csrc"),
        "-isystem", str(AP_TYPES), str(Path(__file__).with_name("serve.cpp")), "-o", str(program),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=600)
    return program


def packets_of(case: Case) -> list[Words]:
    """The four packets of a case: a hostile image, and three runs of it, the second of which keeps the state."""
    rng = case.rng
    spec, design = roomy(IMAGES[case.mutator])
    net = network(rng, widened(spec, pattern=pick(rng, PATTERNS)))
    words = np.frombuffer(encoder.encode(net, design), "<u4").astype(np.uint32)
    sections = image.section_slices(image.read_header(words), design)
    names = [name for name, part in sections.items() if part.stop > part.start and name not in ("header", "checksum")]
    for _ in range(rng.integers(1, 4)):
        part = sections[pick(rng, [*names, "phase table", "phase table"])]
        for _ in range(pick(rng, (1, 1, 10))):
            damage_words(rng, words, part.start, part.stop)
    if rng.random() < 0.05:
        damage_words(rng, words, 2, 16)
    checked(words)
    image_id = int(words[-1])
    runs = []
    for keep in (False, True, False):
        codes = list(inputs(rng, net, 1, int(rng.integers(1, 4)), rails=rng.random() < 0.5))
        runs.append(run_packet(image_id, codes, net.source, trace=rng.random() < 0.5, keep=keep))
    return [load_packet(words), *runs]


def run_images(cases: Sequence[Case], folder: Path) -> dict[Case, Verdict]:
    """The verdicts of cases: "refused", "exact" (every packet was answered), or what went wrong.

    Args:
        cases: the cases, of mutators in `IMAGES`.
        folder: an empty folder, for programs and packets.
    """
    verdicts: dict[Case, Verdict] = {}
    for mutator in dict.fromkeys(case.mutator for case in cases):
        room = folder / mutator
        room.mkdir()
        program = compile_server(IMAGES[mutator], room)
        left = [case for case in cases if case.mutator == mutator]
        while left:
            found = _serve(program, left, room)
            verdicts |= found
            left = left[len(found) :]
    return verdicts


def _serve(program: Path, cases: Sequence[Case], room: Path) -> dict[Case, Verdict]:
    """Run cases one after the other until one crashes or hangs; the verdicts are those of the first cases."""
    with (room / "in").open("wb") as stream:
        for case in cases:
            stream.write(bytes(4))
            for packet in packets_of(case):
                stream.write(np.array([len(packet), *packet], "<u4").tobytes())
    failure = None
    try:
        arguments = [program, room / "in", room / "out"]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60 + SECONDS * len(cases) / 10)
        if done.returncode:
            failure = Verdict("crash", _reason(done.stderr))
    except subprocess.TimeoutExpired:
        failure = Verdict("hang", "no answer in time")
    answers = _answers((room / "out").read_bytes())
    verdicts = {}
    for number, case in enumerate(cases):
        own = answers[PACKETS * number : PACKETS * (number + 1)]
        if len(own) < PACKETS:
            verdicts[case] = failure or Verdict("crash", "answers are missing")
            break
        verdicts[case] = _judge(own)
    return verdicts


def _judge(answers: list[Words]) -> Verdict:
    try:
        errors = [int(read_trailer(answer).error) for answer in answers]
    except EseError as error:
        return Verdict("message", str(error))
    return Verdict("refused" if errors[0] else "exact", f"errors {errors}")


def _answers(data: bytes) -> list[Words]:
    words = np.frombuffer(data[: len(data) // 4 * 4], "<u4").astype(np.uint32)
    answers = []
    while len(words) and len(words) > words[0]:
        answers.append(words[1 : 1 + int(words[0])])
        words = words[1 + int(words[0]) :]
    return answers


def _reason(text: str) -> str:
    """The line of a sanitizer's report that says what happened where."""
    lines = [line for line in text.splitlines() if "runtime error" in line or "ERROR: " in line]
    return lines[0].rpartition("csrc/")[2][:200] if lines else text[-300:]
