# SPDX-License-Identifier: Apache-2.0
"""The manifest is read back as written; invalid manifests are refused with the name of the fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_design import small_design, write_manifest

from ese_host.bundle import folder as folder_module
from ese_host.bundle import manifest
from ese_host.bundle.folder import Folder
from ese_host.bundle.manifest import Manifest
from ese_host.errors import EseError, FormatError, MismatchError, MissingError, UnsupportedError
from ese_host.image.design import Design


def change(folder: Path, **fields: Any) -> None:
    path = folder / manifest.NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_reads_back_what_was_written(folder: Path) -> None:
    written = write_manifest(folder)
    opened = Folder.open(folder)
    assert opened.manifest == written
    assert Manifest.from_json(json.loads(json.dumps(written.to_json()))) == written
    opened.check()


def test_it_is_shown_in_a_line(folder: Path) -> None:
    assert repr(Folder.open(folder)) == f"<Folder '{folder}': int4 weights, 2 PEs, emulated for pynq-z2>"


def test_an_engine_in_rtl_is_named_and_one_of_cpp_is_not(folder: Path) -> None:
    assert "engine" not in json.loads((folder / manifest.NAME).read_text())
    assert Folder.open(folder).manifest.engine == "hls"
    change(folder, engine="rtl")
    opened = Folder.open(folder).manifest
    assert opened.engine == "rtl" and Manifest.from_json(opened.to_json()) == opened


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({"engine": "vhdl"}, FormatError, "manifest: engine is 'vhdl'; expected"),
        ({"manifest": 1}, FormatError, "manifest: version is 1; expected 2: build the design again"),
        ({"manifest": True}, FormatError, "manifest: manifest is True; expected an integer"),
        ({"kind": "real"}, FormatError, "manifest: kind is 'real'; expected 'emulated' or 'bitstream'"),
        ({"design_id": "0x00000000"}, MismatchError, f"its design's is {small_design().design_id:#010x}"),
        (
            {"design_id": f"{small_design().design_id_of(1):#010x}"},
            FormatError,
            "the design is for images of version 1; this version of ese4ml has images of version 2 only: build the "
            "design again with this version of ese4ml",
        ),
        ({"design_id": "12"}, FormatError, "manifest: design_id is '12'; expected 0x and eight"),
        ({"image_id": "0xABCDEF01"}, FormatError, "manifest: image_id is '0xABCDEF01'; expected 0x and eight"),
        ({"design": {}}, FormatError, "design has fields []; expected"),
        *(
            ({"clock_mhz": clock}, MismatchError, f"manifest: clock_mhz is {clock}; its design's is 100: build the")
            for clock in (-5, 0, 1_000_000, 100.5)
        ),
        ({"clock_mhz": 10**400}, FormatError, "has more than 64 bits"),
        ({"part": "xc7z010"}, MismatchError, "manifest: part is 'xc7z010'; pynq-z2 has 'xc7z020clg400-1': build the"),
        ({"board": "zcu104"}, MismatchError, "manifest: part is 'xc7z020clg400-1'; zcu104 has 'xczu7ev"),
        ({"board": "z9"}, UnsupportedError, "board is 'z9'; known boards: kv260, pynq-z1, pynq-z2"),
        ({"clock_mhz": "fast"}, FormatError, "manifest: clock_mhz is 'fast'; expected an integer or a number"),
        ({"files": {}}, FormatError, "manifest: files lacks design.bit, design.hwh, image.bin, golden.npz"),
        (
            {"files": {"../design.bit": "0" * 64}},
            FormatError,
            "files names '../design.bit'; expected a plain file name",
        ),
        ({"files": {"/etc/passwd": "0" * 64}}, FormatError, "files names '/etc/passwd'; expected a plain file name"),
        ({"files": {"..": "0" * 64}}, FormatError, "files names '..'; expected a plain file name"),
        ({"files": {"design.bit": "00"}}, FormatError, "files['design.bit'] is '00'; expected a SHA-256"),
        ({"tools": {"g++": 12}}, FormatError, "tools['g++'] is 12; expected text"),
        ({"more": 1}, FormatError, "manifest has fields"),
        (
            {"further_images": []},
            FormatError,
            "manifest: further_images is []; expected a list of ids, or no such field",
        ),
        ({"warnings": []}, FormatError, "manifest: warnings is []; expected a list of sentences, or no such field"),
        ({"warnings": ["a\x1b[31m"]}, FormatError, r"manifest: warnings has 'a\x1b[31m', of 6 characters; 1 to 2000 "),
        ({"warnings": ["a"] * 1001}, FormatError, "manifest: has 1001 warnings; at most 1000 are allowed"),
        ({"further_images": [1]}, FormatError, "manifest: further_images[0] is 1; expected text"),
        ({"further_images": ["7"]}, FormatError, "manifest: further_images is '7'; expected 0x and eight"),
        ({"further_images": ["0x00000007"]}, FormatError, "manifest: files lacks image-1.bin; found"),
        ({"further_images": ["0x00000007"] * 256}, FormatError, "manifest: names 257 images; at most 256 are allowed"),
    ],
)
def test_wrong_fields_are_refused(folder: Path, fields: dict[str, Any], kind: type[EseError], message: str) -> None:
    change(folder, **fields)
    with pytest.raises(kind) as error:
        Folder.open(folder)
    assert message in str(error.value)


@pytest.mark.parametrize("clock", [-5, 0, 1_000_000])
def test_a_clock_that_the_board_has_not_is_refused(folder: Path, clock: int) -> None:
    """Even if manifest and design agree on it."""
    with pytest.raises(MismatchError, match=rf"clock_mhz is {clock}; pynq-z2 takes 1 to \d+: emit with another"):
        write_manifest(folder, design=small_design(clock_mhz=clock), clock_mhz=clock)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "null", '{"manifest": 1, "manifest": 1}', '{"clock_mhz": NaN}', "[" * 100000, "\0"]
)
def test_what_is_no_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / manifest.NAME).write_text(text)
    with pytest.raises(FormatError):
        Folder.open(folder)


def test_a_manifest_too_large_is_refused(folder: Path) -> None:
    (folder / manifest.NAME).write_bytes(b" " * (manifest.MAX_MANIFEST_BYTES + 1))
    with pytest.raises(FormatError, match="at most 1048576 are allowed"):
        Folder.open(folder)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"a design folder holds manifest\.json"):
        Folder.open(tmp_path)


def test_a_changed_file_is_refused(folder: Path) -> None:
    path = folder / manifest.IMAGE
    data = bytearray(path.read_bytes())
    data[17] ^= 1
    path.write_bytes(data)
    with pytest.raises(MismatchError, match=r"image.bin: SHA-256 is [0-9a-f]{64}; the manifest says"):
        Folder.open(folder).file(manifest.IMAGE)


def test_a_missing_file_is_refused(folder: Path) -> None:
    (folder / manifest.HWH).unlink()
    with pytest.raises(MissingError, match=r"design\.hwh: cannot be read"):
        Folder.open(folder).check()


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    path = folder / manifest.HWH
    outside = folder.parent / "outside.hwh"
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(FormatError, match="expected a plain file inside the folder"):
        Folder.open(folder).file(manifest.HWH)


def test_a_file_too_large_is_refused_unread(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(manifest.MAX_BYTES, manifest.HWH, 10)
    monkeypatch.setattr(folder_module, "Contents", None)
    with pytest.raises(FormatError, match=r"at most 10 are allowed for design\.hwh"):
        Folder.open(folder).file(manifest.HWH)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_fuzzed_fields_are_refused_or_the_same(folder: Path, data: st.DataObject) -> None:
    """One field is replaced by any JSON value: an EseError, or a manifest with the same contents."""
    value = write_manifest(folder).to_json()
    field = data.draw(st.sampled_from(sorted(value)))
    value[field] = data.draw(JSON)
    try:
        found = Manifest.from_json(value)
    except EseError:
        return
    assert found.to_json() == value


def test_a_design_of_before_full_phases_keeps_its_id() -> None:
    """The field is not part of the id of a design without full phases; only another version of images changes it."""
    design = small_design()
    assert design.design_id == 0xF38555B0
    assert design.design_id_of(1) == 0x2B15BA86
    older = {name: value for name, value in design.to_json().items() if name != "full_phases"}
    assert Design.from_json(older) == design
