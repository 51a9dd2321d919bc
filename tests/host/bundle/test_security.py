# SPDX-License-Identifier: Apache-2.0
"""Hostile files are refused, and cannot make us run code, read outside the folder or fill the memory."""

from __future__ import annotations

import ast
import io
import json
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_design import small_design

import ese_host
from ese_host.bundle import manifest, read_image
from ese_host.bundle.folder import Folder
from ese_host.errors import EseError, FormatError
from ese_host.files import json_text, npz
from ese_host.files.hashing import digest
from ese_host.runtime.accelerator import Accelerator

SOURCES = sorted(Path(ese_host.__path__[0]).rglob("*.py"))
MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "pty"}
CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "spawnl", "getoutput", "loads_pickle"}


def offences(source: str) -> list[str]:
    """Imports and calls by which a source could run the data that it reads, or a shell."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [item.name for item in node.names]
            found += [name for name in names if name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            allowed = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "re"
            found += [name] if name in CALLS and not allowed else []
            for word in node.keywords:
                on = not (isinstance(word.value, ast.Constant) and word.value.value is False)
                found += [str(word.arg)] if word.arg in ("shell", "allow_pickle") and on else []
    return found


def test_no_source_runs_what_it_reads() -> None:
    assert len(SOURCES) > 30
    assert {str(path): found for path in SOURCES if (found := offences(path.read_text(encoding="utf-8")))} == {}


def test_that_this_test_would_notice() -> None:
    for source in (
        "import pickle",
        "from os import system\nsystem('ls')",
        "eval('1')",
        "np.load(f, allow_pickle=True)",
    ):
        assert offences(source)
    assert offences("subprocess.run('ls', shell=True)") and not offences("re.compile('x')")


def member(shape: object, dtype: str, data: bytes = b"", *, version: int = 1) -> bytes:
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2, "little") + text + data


def header(text: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (member((1 << 40,), "<i8"), "claims"),
        (member((1 << 62, 1 << 62), "<i8"), "claims"),
        (member((-1,), "<i8", b"\0" * 64), "claims"),
        (member((4,), "|O", b"\0" * 32), "holds objects"),
        (member((4,), "<i8", b"\0" * 8), "has 8 bytes of 32"),
        (member((4,), "<i8", b"\0" * 32, version=3), "version"),
        (b"\x93NUMPY\x01\x00\xff\xff(__import__('os').abort())", "cannot be read"),
        (b"", "cannot be read"),
        (header(b"{'descr': '<f4', 'shape': (3,"), "has the header"),
        (header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (3"), "has the header"),
        (header(b"(" * 4000), "has the header"),
        (header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"1," * 5000 + b")}"), "has the header"),
        (member((True, True, 12), "<f4", b"\0" * 48), "has the header"),
        (member((12,), "<i3", b"\0" * 48), "cannot be read"),
        (member((12,), "\\x00", b"\0" * 48), "has the header"),
        (member((1,) * 80, "<f4", b"\0" * 48), "cannot be read"),
    ],
)
def test_arrays_that_claim_what_they_have_not(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "golden.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", data)
    tracemalloc.start()
    with pytest.raises(FormatError, match=message):
        npz.read(path, 1 << 20)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_only_the_compression_of_numpy_is_unpacked(tmp_path: Path, method: int) -> None:
    path = tmp_path / "golden.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", member((8,), "<i8", b"\0" * 64))
    with pytest.raises(FormatError, match=rf"'x\.npy' is compressed by method {method}; np\.savez_compressed uses 8"):
        npz.read(path, 1 << 20)


def test_damaged_archives_are_refused_or_read(tmp_path: Path) -> None:
    path, read = tmp_path / "x.npz", 0
    for save in (np.savez, np.savez_compressed):
        save(path, a=np.arange(12).reshape(3, 4), b=np.asfortranarray(np.ones((2, 3), np.float32)), c=np.array("text"))
        whole = path.read_bytes()
        for seed in range(400):
            rng, data = np.random.default_rng(seed), bytearray(whole)
            for _ in range(rng.integers(1, 4)):
                data[rng.integers(len(data))] ^= 1 << rng.integers(8)
            path.write_bytes(data)
            try:
                npz.read(path, 1 << 20)
                read += 1
            except FormatError:
                continue
    assert 0 < read < 400


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "testset.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", member((1 << 25,), "|u1", b"\0" * (1 << 25)))
    tracemalloc.start()
    with pytest.raises(FormatError, match="unpacks to 33554560 bytes in 1 arrays; at most 1048576"):
        npz.read(path, 1 << 20)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(("dtype", "count", "message"), [
    ("|u1", 90 << 20, "unpacks to 94371968 bytes in 1 arrays; at most"),
    ("|u1", 20 << 20, r"'x\.npy' is \(20971520,\) of uint8: 167772160 bytes as numbers; \d+ are left"),
])  # fmt: skip
def test_a_small_file_takes_little_memory(tmp_path: Path, dtype: str, count: int, message: str) -> None:
    path = tmp_path / "testset.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", member((count,), dtype, bytes(count)))
    tracemalloc.start()
    with pytest.raises(FormatError, match=message):
        npz.read(path, 1 << 30)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_arrays_share_one_budget(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", **{f"a{number}": np.zeros(1 << 20, np.int8) for number in range(9)})
    with pytest.raises(FormatError, match=r"'a8\.npy' is \(1048576,\) of int8: 8388608 bytes as numbers; \d+ are left"):
        npz.read(tmp_path / "x.npz", 1 << 30)


def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(12).reshape(3, 4),
        "b": np.asfortranarray(np.ones((2, 3))),
        "c": np.array("text"),
        "d": np.zeros(0),
    }
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    found = npz.read(tmp_path / "x.npz", 1 << 20)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/hostname", "a/b", "a\\b", "..", ".hidden", "a\nb", "c:d", "x" * 101]
)
def test_names_that_leave_the_folder(folder: Path, name: str) -> None:
    path = folder / manifest.NAME
    value = json.loads(path.read_text())
    value["files"][name] = "0" * 64
    path.write_text(json.dumps(value))
    with pytest.raises(FormatError, match="expected a plain file name"):
        Folder.open(folder)


@pytest.mark.parametrize("name", [manifest.NAME, manifest.BIT, manifest.IMAGE, manifest.GOLDEN, manifest.HWH])
@pytest.mark.parametrize("target", ["/dev/zero", "../outside"])
def test_links_out_of_the_folder(folder: Path, name: str, target: str) -> None:
    (folder.parent / "outside").write_bytes((folder / name).read_bytes())
    (folder / name).unlink()
    (folder / name).symlink_to(target)
    with pytest.raises(EseError, match="expected a plain file inside the folder"):
        Folder.open(folder).check()


@pytest.mark.parametrize("name", [manifest.NAME, manifest.BIT, manifest.IMAGE, manifest.TESTSET])
def test_a_fifo_in_the_folder_is_not_waited_for(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(FormatError, match="expected a plain file inside the folder"):
        Folder.open(folder).check()


@pytest.mark.parametrize("read", [
    lambda path: npz.read(path, 99), lambda path: json_text.read(path, 99, "again"), digest,
    lambda path: read_image(path, small_design()),
])  # fmt: skip
@pytest.mark.parametrize("device", [False, True])
def test_no_reader_waits_for_a_fifo_or_reads_a_device(
    tmp_path: Path, read: Callable[[Path], object], device: bool
) -> None:
    path = Path("/dev/zero") if device else tmp_path / "fifo"
    if not device:
        os.mkfifo(path)
    with pytest.raises(FormatError, match="is no plain file"):
        read(path)


def test_an_image_larger_than_any_is_refused_unread(folder: Path) -> None:
    with (folder / manifest.IMAGE).open("r+b") as stream:
        stream.truncate(manifest.MAX_BYTES[manifest.IMAGE] + 4)
    with pytest.raises(FormatError, match=r"image\.bin: has 67108868 bytes; at most 67108864 are allowed"):
        Accelerator(folder, driver="adapter")


def test_a_pickle_in_the_golden_model_is_not_run(folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(folder / "trapped"),)

    buffer = io.BytesIO()
    np.savez(buffer, json=np.array([Trap()], dtype=object))
    (folder / manifest.GOLDEN).write_bytes(buffer.getvalue())
    value = json.loads((folder / manifest.NAME).read_text())
    value["files"][manifest.GOLDEN] = digest(folder / manifest.GOLDEN)
    (folder / manifest.NAME).write_text(json.dumps(value))
    with pytest.raises(FormatError, match="holds objects"):
        Accelerator(folder, driver="adapter")
    assert not (folder / "trapped").exists()
