# SPDX-License-Identifier: Apache-2.0
"""Peak memory and time of `info` and `check`, measured in a child process: on a valid folder, and on hostile ones."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_design import INPUTS, write_manifest

VALID, HOSTILE = 150, 300
"""Most MB of memory."""
SECONDS = 10
"""Most seconds until a hostile file is refused, of processor time, so that a busy machine fails no test."""
COMMAND = """
import atexit, re, sys, time
from pathlib import Path
# getrusage would count the memory of the parent process too
peak = lambda: int(re.search(r"VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1]) >> 10
atexit.register(lambda: print(f"\\n{peak()} {time.process_time()}", file=sys.stderr))
from ese_host.cli.main import main
main()
"""


def run(folder: Path, *arguments: str) -> tuple[int, int, float, str]:
    """Exit code, peak memory in MB, seconds of processor time, and the error message of a command on a folder."""
    command = [sys.executable, "-c", COMMAND, arguments[0], str(folder), *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    message, _, used = done.stderr.strip().rpartition("\n")
    peak, seconds = used.split()
    return done.returncode, int(peak), float(seconds), message


def member(shape: tuple[int, ...], dtype: str, data: bytes) -> bytes:
    """An array of an .npz file whose header may claim anything."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def golden(text: str) -> bytes:
    return archive(json=member((), f"<U{len(text)}", text.encode("utf-32-le")))


def provenance(value: Any) -> bytes:
    return json.dumps(value).encode()


FRAMES = 8 << 20
HOSTILE_FILES = {
    "inputs of 1 GiB in a file of 1 MB": (
        "testset.npz",
        lambda: archive(inputs=member((1 << 30,), "|u1", bytes(1 << 30))),
    ),
    "inputs that become 64 MiB of codes": (
        "testset.npz",
        lambda: archive(inputs=member((1, FRAMES, 1), "|u1", bytes(FRAMES))),
    ),
    "shape beyond the data": ("testset.npz", lambda: archive(inputs=member((1 << 40, 1 << 20), "<f8", b""))),
    "4 million characters": ("golden.npz", lambda: golden("[" + "[]," * 1_300_000 + "0]")),
    "16 million characters": ("golden.npz", lambda: golden(" " * (16 << 20))),
    "deep JSON": ("golden.npz", lambda: golden("[" * 1_000_000)),
    "200,000 layers": ("golden.npz", lambda: golden(json.dumps({"class": "Network", "layers": [{}] * 200_000}))),
    "a million PEs": (
        "provenance.json",
        lambda: provenance({"masks": {"a": {"b": {"entries_per_pe": [1] * 1_000_000}}}}),
    ),
    "100,000 mask families": (
        "provenance.json",
        lambda: provenance({"masks": {"a": {str(n): {} for n in range(100_000)}}}),
    ),
    "a large image": ("image.bin", lambda: bytes(60 << 20)),
    "a large .hwh": ("design.hwh", lambda: b"<A>" + b"<B/>" * (6 << 20) + b"</A>"),
    "nested entities": (
        "design.hwh",
        lambda: (
            b'<!DOCTYPE a [<!ENTITY e0 "aaaaaaaa">'
            + b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 9))
            + b"]><a>&e8;</a>"
        ),
    ),
}


def test_a_valid_folder_takes_little(folder: Path, tmp_path: Path) -> None:
    for command in (["info"], ["check", "--report", str(tmp_path / "report")]):
        code, peak, _, message = run(folder, *command)
        assert code == 0, message
        assert peak <= VALID


def quick(name: str) -> bool:
    """Whether a hostile file is tested in every run: one of each kind of file."""
    return name in ("inputs that become 64 MiB of codes", "deep JSON", "100,000 mask families", "nested entities")


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        pytest.param(*file, id=name, marks=[] if quick(name) else pytest.mark.slow)
        for name, file in HOSTILE_FILES.items()
    ],
)
def test_a_hostile_folder_takes_little_memory_and_time(folder: Path, tmp_path: Path, name: str, contents: Any) -> None:
    (folder / name).write_bytes(contents())
    write_manifest(folder)
    for command in (["info"], ["check", "--report", str(tmp_path / "report")]):
        code, peak, seconds, message = run(folder, *command)
        assert code == (0 if command[0] == "info" else 2), message
        assert name in message or command[0] == "info"
        assert peak <= HOSTILE
        assert seconds <= SECONDS


def test_a_long_test_set_takes_little_memory(folder: Path, tmp_path: Path) -> None:
    """It is run and compared in parts, so that results of all samples are never there at once."""
    np.savez_compressed(folder / "testset.npz", inputs=np.zeros((20_000, 50, INPUTS), np.int8))
    write_manifest(folder)
    code, peak, _, message = run(folder, "check", "--report", str(tmp_path / "report"))
    assert code == 0, message
    assert peak <= HOSTILE
