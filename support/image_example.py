# SPDX-License-Identifier: Apache-2.0
"""The small image of image-format.md, word by word: `python -m support.image_example` writes it into the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ese_hls.encode import choose_design, encoder
from ese_host.image import Design
from ese_host.ir import Dense, Fixed, Matrix, Network
from support.second_decoder import HEADER, RECORD, Facts, canonical_design, decode, section_sizes

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "image-format.md"
BEGIN, END = "<!-- written by python -m support.image_example -->\n", "<!-- end of what it writes -->\n"


def small_network() -> Network:
    """A Dense layer of three rows and four columns with ternary weights."""
    codes = np.array([[1, 0, 0, -1], [-1, 0, 0, 1], [0, 1, 0, 0]])
    scale = np.array([[4096, 2048, 1024]] * 2)
    kernel = Matrix(codes, "ternary", scale, 12)
    bias = np.array([8, -8, 0])
    return Network((Dense("classes", kernel, bias, 4, True, Fixed(8, 4), Fixed(8, 4)),), Fixed(8, 4))


def small_design() -> Design:
    """The smallest design of two PEs and 2-bit gaps for it."""
    return choose_design(small_network(), pes=2, gap_bits=2, storage="sparse")


def meanings(data: bytes, facts: Facts) -> dict[int, str]:
    """Meaning of each word of the small image, by number of the word; of the tanh table only the first and the last.

    Args:
        data: the image.
        facts: properties of its design.
    """
    image = decode(data, facts)
    (phase,) = image.phases
    ends, at = {}, 0
    for name, size in section_sizes(image.header, facts).items():
        ends[name] = at
        at += size
    texts = {number: name for number, name in enumerate(HEADER)}
    texts[HEADER.index("magic")] += ': "ESE4"'
    texts[HEADER.index("formats")] += ": 4 fractional bits, proven accumulator bits, leave as stored, signed"
    begin = ends["phase table"]
    for number in range(10):
        named = [f"{name} {phase.record[name]}" for name, place in RECORD.items() if place[0] == number]
        texts[begin + number] = "record: " + ", ".join(text for text in named if not text.endswith(" 0"))
    texts[begin + 10] = "entries of PE 0 and PE 1: " + ", ".join(map(str, phase.counts))
    begin = ends["scales and biases"]
    for number in range(begin, ends["peepholes"]):  # there is one bank, so that a word holds a row's scale and bias
        item, row = divmod(number - begin, 4)
        texts[number] = f"scale and bias of row {row} of parameter item {item}"
    for number in range(ends["entries"], ends["pointers"]):
        first = number - ends["entries"]
        texts[number] = f"entries: bits {32 * first} to {32 * first + 31} of the section"
    texts[ends["tables"]] = "tanh segment 0: V 0, D in the upper bits"
    texts[ends["checksum"] - 1] = "tanh segment 1023"
    texts[ends["checksum"]] = "checksum, which is the image's id"
    return texts


def listing() -> str:
    """The part of the page that shows the image."""
    design = small_design()
    facts = Facts.of(design.to_json())
    data = encoder.encode(small_network(), design, "auto")
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
    lines = [
        "The design's canonical JSON, which is one line, broken here behind some fields:",
        "",
        "```",
        *wrapped(canonical_design(design.to_json())),
        "```",
        "",
        f"Its SHA-256 begins with {facts.design_id:08x}: the design id. The words of the image, without zeros and",
        "all but two of the tanh table:",
        "",
        "| word | value | meaning |",
        "|---|---|---|",
    ]
    texts = meanings(data, facts)
    lines += [
        f"| {number} | `0x{words[number]:08x}` | {text} |" for number, text in sorted(texts.items()) if words[number]
    ]
    return "\n".join([*lines, ""])


def wrapped(text: str) -> list[str]:
    """A JSON text in lines of at most 100 characters, each broken behind a comma."""
    lines = [""]
    for part in text.replace(", ", ",\n").split("\n"):
        if len(lines[-1]) + len(part) > 100:
            lines.append("")
        lines[-1] += f" {part}" if lines[-1] else part
    return lines


def written(page: str) -> str:
    """The page with the listing in its place."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "\n" + listing() + "\n" + END + rest.partition(END)[2]


def main() -> None:
    """Write the listing into the page."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
