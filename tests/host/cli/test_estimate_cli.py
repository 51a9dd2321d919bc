# SPDX-License-Identifier: Apache-2.0
"""`ese4ml estimate`: what the command prints, refuses and assumes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import calls
import click
import pytest
from small_design import INPUTS, OUTPUTS

from ese_host.boards.board import board_names
from ese_host.cli.estimate import commands
from ese_host.cli.main import main
from ese_host.estimate import read_folder
from ese_host.ir.mask_families import ESTIMATED

ESE_OPTIONS = ["lstm", "--inputs", "153", "--units", "1024", "--projection", "512", "--peepholes", "--density", "0.1"]
ONE = (("--engine", "hls"), ("--engine", "rtl"))


def call(*arguments: str) -> Any:
    return calls.call("estimate", *arguments)


def test_the_command_prints_json() -> None:
    arguments = [*ESE_OPTIONS, "--weight-code", "ternary", "--pes", "64", "--board", "pynq-z2", "--json"]
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert set(found) >= {"cycles_per_step", "utilisation", "matvec_utilisation", "latency_us", "bram36", "fits"}
    assert found["cycles_per_step"] == 5366 and found["fits"] is True and found["bram36"] == 117


def test_both_engines_are_shown_unless_one_is_asked_for() -> None:
    arguments = [*ESE_OPTIONS, "--pes", "64"]
    both, hls, rtl = (json.loads(call(*arguments, "--json", *more).output) for more in ((), *ONE))
    assert both["rtl"] == rtl and rtl["engine"] == "rtl" and hls == {k: v for k, v in both.items() if k != "rtl"}
    assert rtl["cells_per_cycle"] == 1 and rtl["cycles_per_step"] <= 5600
    shown = call(*arguments).output
    assert shown.startswith("LSTM of 1024 cells") and "\nengine in HLS: ternary weights" in shown
    assert "The engine in RTL: 5-bit gaps, 64 PEs, one cell per cycle (all of it: --engine rtl)" in shown
    assert "\nengine in RTL: ternary weights" in call(*arguments, "--engine", "rtl").output


def test_a_window_adds_waits_and_says_that_they_are_modelled() -> None:
    arguments = [*ESE_OPTIONS, "--pes", "128", "--board", "zcu104", "--engine", "hls", "--json"]
    without, found = (json.loads(call(*arguments, *more).output) for more in ((), ("--window", "64")))
    assert (without["design"]["window"], found["design"]["window"]) == (0, 64)
    assert without["cycles_per_step"] == 2876 < found["cycles_per_step"]
    assert without["cycles_by_cause"]["padding"] == 0 < found["cycles_by_cause"]["padding"]
    assert "waits for a window of 64 columns: the encoder's schedule of random weights" in found["assumed"]
    result = call(*arguments, "--window", "48")
    assert result.exit_code == 2 and "'48' is not one of '0', '8', '16'" in result.stderr


def test_two_units_in_rtl_need_a_window() -> None:
    result = call(*ESE_OPTIONS, "--engine", "rtl", "--cells-per-cycle", "2")
    assert result.exit_code == 2 and "two element-wise units need a window in RTL: add --window 64" in result.stderr
    assert call(*ESE_OPTIONS, "--engine", "rtl", "--cells-per-cycle", "2", "--window", "64").exit_code == 0


def test_the_command_tells_what_does_not_fit_and_exits_with_1() -> None:
    result = call(*ESE_OPTIONS, "--pes", "128", "--weight-code", "int4")
    assert result.exit_code == 1
    assert "does NOT fit pynq-z2:" in result.output and "BRAM36: 213 needed, the board has 140" in result.output


def test_the_old_name_of_an_option_works_with_a_warning_and_yields_to_the_new_one() -> None:
    sizes = ("dense", "--inputs", "60", "--outputs", "100", "--pes", "4", "--json")
    assert "--weights" not in call("dense", "--help").output
    for options in (("--weights", "int8"), ("--weights", "int4", "--weight-code", "int8")):
        result = call(*sizes, *options)
        assert result.exit_code == 0 and json.loads(result.stdout)["weights"] == "int8"
        assert result.stderr.startswith("warning: --weights is called --weight-code now; ")
    refused = call(*sizes, "--weights", "int5")
    assert refused.exit_code == 2 and "--weight-code" in refused.stderr


def test_the_command_on_a_dense_layer() -> None:
    result = call("dense", "--inputs", "600", "--outputs", "1000", "--pes", "32", "--json")
    found = json.loads(result.output)
    assert result.exit_code == 0 and found["nonzero_weights"] == 60_000
    assert found["cycles_by_cause"]["compute"] == 1875


def test_the_command_on_a_gru() -> None:
    sizes = ("gru", "--inputs", "40", "--units", "256", "--pes", "16", "--gap-bits", "7", "--engine", "hls", "--json")
    after, before = (json.loads(call(*sizes, *more).output) for more in ((), ("--reset-before",)))
    assert after["subject"].startswith("GRU of 256 cells on 40 inputs; gap-aware masks")
    assert before["subject"].startswith("GRU of 256 cells on 40 inputs, reset before the matrix; gap-aware")
    for found in (after, before):
        assert found["design"]["cells"] == "gru" and found["dense_weights"] == 3 * 256 * (40 + 256)
        assert found["cycles_by_cause"]["padding"] == found["cycles_by_cause"]["imbalance"] == 0
        assert any("with GRU cells is taken to be an LSTM's" in sentence for sentence in found["assumed"])
    # r * h is written before the candidate's matrix reads it
    assert before["cycles_per_step"] > after["cycles_per_step"] + 256 / 2 - 10
    lstm = json.loads(call("lstm", *sizes[1:]).output)
    assert lstm["dense_weights"] == 4 * 256 * (40 + 256)
    # two units: four scales each; an LSTM's 3 peepholes, 5 lookups, 3 products, a GRU's 3 lookups, 1 wide, 2 narrow
    dsps = {name: found["resources"]["dsps"]["used"] for name, found in (("lstm", lstm), ("gru", after))}
    assert dsps == {"lstm": 2 * (4 + 3 + 5 + 3), "gru": 2 * (4 + 3 + 2 + 2)}


def test_two_units_take_an_even_number_of_pes() -> None:
    """An odd number of PEs gets one unit by default, and two units are refused: they drain equal shares."""
    sizes = ("lstm", "--inputs", "20", "--units", "32", "--pes", "7", "--json")
    for options in ((), ("--search",)):
        assert json.loads(call(*sizes, *options).output)["cells_per_cycle"] == 1
        refused = call(*sizes, *options, "--cells-per-cycle", "2")
        assert refused.exit_code == 2 and refused.stderr.startswith("error: ")


def test_the_command_searches() -> None:
    result = call(*ESE_OPTIONS, "--search", "--json")
    found = json.loads(result.output)
    assert result.exit_code == 0 and found["fits"]
    assert found["cycles_per_step"] < 5366 and found["assumed"][0].startswith("searched: ")
    rtl = json.loads(call(*ESE_OPTIONS, "--search", "--engine", "rtl", "--json").output)
    assert found["rtl"] == rtl and rtl["fits"] and rtl["pes"] != found["pes"]
    assert (rtl["cells_per_cycle"], rtl["design"]["window"]) == (2, 64)


def test_a_search_keeps_what_the_user_has_chosen_in_both_engines() -> None:
    chosen = ("--pes", "48", "--gap-bits", "7", "--cells-per-cycle", "2")
    found = json.loads(call(*ESE_OPTIONS, "--search", *chosen, "--json").output)
    assert [(of["pes"], of["gap_bits"], of["cells_per_cycle"]) for of in (found, found["rtl"])] == [(48, 7, 2)] * 2


def test_the_command_on_a_design_folder(folder: Path) -> None:
    result = call("image", str(folder), "--json")
    found = json.loads(result.output)
    assert result.exit_code == 0 and found["subject"].endswith(f"image {found['subject'][-10:]}")
    assert found["board"] == "pynq-z2" and found["dense_weights"] == 15 and found["pes"] == 2
    assert found["assumed"][0] == "entries of each PE: as encoded"
    other = call("image", str(folder), "--board", "kv260", "--clock-mhz", "250", "--json")
    assert json.loads(other.output)["clock_mhz"] == 250


def test_a_folder_of_another_sort_is_refused(tmp_path: Path) -> None:
    result = call("image", str(tmp_path))
    assert result.exit_code == 2 and "holds neither manifest.json nor design.json" in result.stderr


def test_a_gap_field_too_narrow_is_said() -> None:
    result = call("lstm", "--inputs", "100", "--units", "256", "--density", "0.02", "--pes", "16", "--json")
    assert any("cannot reach the whole matrix" in sentence for sentence in json.loads(result.output)["assumed"])


@pytest.mark.parametrize(
    "arguments", [["-h"], ["lstm", "-h"], ["gru", "-h"], ["dense", "-h"], ["image", "-h"], ["model", "-h"]]
)
def test_help_says_what_is_assumed(arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 0
    for word in ("Assumptions", "gap-aware: every PE keeps", "no vendor synthesis", "45 nm", "Exit code"):
        assert word in result.output


def test_the_command_refuses_in_one_line() -> None:
    result = call("lstm", "--inputs", "8", "--units", "8", "--density", "1.5")
    assert result.exit_code == 2 and "error: density is 1.5; more than 0 and at most 1 is allowed" in result.stderr


def test_a_network_by_its_sizes_is_estimated_as_its_layer(folder: Path) -> None:
    sizes = ("--inputs", str(INPUTS), "--outputs", str(OUTPUTS), "--exact-output", "--hard")
    for options in (("--density", "0.5", "--pes", "2"), ("--weight-code", "int4", "--search")):
        line = (*options, "--board", "pynq-z2", "--json")
        by_hand, found = (call(*what, *line).output for what in (("dense", *sizes), ("network", str(folder))))
        assert found.count("small: logits; gap-aware masks") == 2  # of both engines
        assert json.loads(found.replace("small: logits;", f"Dense of {OUTPUTS} outputs on {INPUTS} inputs;")) == (
            json.loads(by_hand)
        )


def test_a_network_in_skip_mode_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = read_folder(folder)
    skipping = replace(encoded, design=replace(encoded.design, mode="skip", pointer_depth=64))
    monkeypatch.setattr("ese_host.estimate.read_folder", lambda _: skipping)
    result = call("network", str(folder))
    assert result.exit_code == 2 and "runs in skip mode, whose time depends on the data" in result.stderr


def test_a_search_leaves_no_pe_without_rows() -> None:
    sizes = ("--inputs", "12", "--units", "64", "--board", "pynq-z2", "--json")
    assert json.loads(call("lstm", *sizes, "--search").output)["pes"] <= 64
    assert json.loads(call("lstm", *sizes, "--search", "--pes", "72").output)["pes"] == 72


def test_choices_of_the_command() -> None:
    (option,) = (option for option in commands.lstm.params if option.name == "masks")
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == list(ESTIMATED)
    assert {"pynq-z1", "pynq-z2", "zcu104"} <= set(board_names())


def test_it_is_quick_and_light() -> None:
    """The command takes under 2 s and imports nothing heavier than numpy."""
    code = (
        "import sys, time; from ese_host.cli.main import main; start = time.process_time();"
        f"main(['estimate', *{ESE_OPTIONS!r}, '--pes', '64', '--json'], standalone_mode=False);"
        "heavy = {'tensorflow', 'keras', 'hls4ml', 'qkeras', 'numba', 'scipy', 'pygal', 'jinja2'} & set(sys.modules);"
        "sys.exit(f'{heavy} {time.process_time()}' if heavy or time.process_time() > 2 else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_command_on_a_model_goes_through_the_emitter(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the emitter leaves a project, which is then estimated."""
    seen: list[tuple[str, ...]] = []

    @click.command(context_settings={"ignore_unknown_options": True})
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def emit(arguments: tuple[str, ...]) -> None:
        click.echo("words of the emitter")
        seen.append(arguments)
        project = Path(arguments[arguments.index("--out") + 1])
        shutil.copytree(folder, project)
        manifest = json.loads((project / "manifest.json").read_text())
        (project / "manifest.json").unlink()
        described = {"board": "pynq-z2", "design": manifest["design"], "model": manifest["model"]}
        (project / "design.json").write_text(json.dumps(described))

    monkeypatch.setattr(type(main), "get_command", _with(type(main).get_command, emit))
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("net.keras", "w") as archive:
        archive.writestr("config.json", "the stand-in does not read it")
    result = call("model", "net.keras", "--pes", "2", "--board", "pynq-z2", "--json")
    assert result.exit_code == 0 and result.stderr == "", result.output
    assert json.loads(result.stdout)["subject"].startswith("net.keras, image 0x")
    assert seen[0][0] == "net.keras"
    assert seen[0][3:] == ("--pes", "2", "--board", "pynq-z2", "--quiet"), "the emitter chooses what is not given"


def test_without_a_number_of_pes_it_takes_as_many_as_the_emitter() -> None:
    """8, or twice as many, and so on, if the layer is too large for them: `with_enough_pes` decides for both."""
    for units, pes in ((64, 8), (1024, 128)):
        layer = ("--inputs", "153", "--units", str(units), "--density", "1")
        found = json.loads(call("lstm", *layer, "--board", "zcu104", "--json").stdout)
        assert found["pes"] == pes
    refused = call("lstm", "--inputs", "153", "--units", "1024", "--density", "1", "--pes", "64")
    assert refused.exit_code == 2 and "error: with 64 PEs: " in refused.stderr


def test_pes_without_rows_are_named() -> None:
    layer = ("lstm", "--inputs", "12", "--units", "32")
    assert (
        "- layer 'LSTM of 32 cells on 12 inputs', which has the most weights, has 32 cells, so that 32 of 64 PEs have "
        "none of them: 32 PEs serve it as well\n"
    ) in call(*layer, "--pes", "64").stdout
    assert "PEs have none" not in call(*layer, "--pes", "32").stdout


def _with(known: Any, emit: click.Command) -> Any:
    return lambda self, ctx, name: emit if name == "emit" else known(self, ctx, name)
