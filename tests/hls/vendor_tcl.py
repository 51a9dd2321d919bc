# SPDX-License-Identifier: Apache-2.0
"""The emitted Tcl scripts under tclsh: the vendor's commands recorded, and checked against the vendor's manuals.

Some commands refuse what the tool would refuse: names that are keywords of Verilog, cores that the catalogue does not
have, folders and files that are not there.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ese_host.boards import block_design, board_names, load_board
from ese_host.boards.processor import ENGINE_VLNV

# IEEE 1364-2005, "List of keywords"
KEYWORDS = """
always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam design
disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable endtask event
for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial inout input instance
integer join large liblist library localparam macromodule medium module nand negedge nmos nor noshowcancelled not notif0
notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup pulsestyle_onevent pulsestyle_ondetect
rcmos real realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1 scalared showcancelled signed small specify
specparam strong0 strong1 supply0 supply1 table task time tran tranif0 tranif1 tri tri0 tri1 triand trior trireg
unsigned use uwire vectored wait wand weak0 weak1 while wire wor xnor xor
"""
OF_VENDOR = sorted(
    {cell.vlnv for name in board_names() for cell in block_design.describe(load_board(name), 100).cells} - {ENGINE_VLNV}
)
"""The cores of the block designs that come with Vivado."""

RECORDER = (
    f"""
set keywords {{{KEYWORDS}}}
set catalogue {{{" ".join(OF_VENDOR)}}}
set engine {ENGINE_VLNV}
"""
    + """
proc refuse {what} { error "the tool refuses it: $what" }
proc create_bd_design {name} {
    record create_bd_design $name
    if {$name in $::keywords} { refuse "$name is a keyword of Verilog" }
}
proc update_ip_catalog {args} {
    record update_ip_catalog {*}$args
    lappend ::catalogue $::engine
}
proc get_ipdefs {args} {
    record get_ipdefs {*}$args
    if {![regexp {^VLNV =~ (\\S+)$} [lindex $args end] -> pattern]} { refuse [lindex $args end] }
    return [lsearch -all -inline -glob $::catalogue $pattern]
}
proc create_bd_cell {args} {
    record create_bd_cell {*}$args
    set vlnv [lindex $args [expr {[lsearch $args -vlnv] + 1}]]
    if {"-vlnv" in $args && $vlnv ni $::catalogue} { refuse "no core $vlnv" }
}
proc add_files {args} {
    record add_files {*}$args
    set words [expr {"-cflags" in $args ? [lrange $args 0 end-2] : $args}]
    if {![file exists [lindex $words end]]} { refuse "no file [lindex $words end]" }
}
proc cosim_design {args} {
    record cosim_design {*}$args
    foreach name [lindex $args [expr {[lsearch $args -argv] + 1}]] {
        if {![file isfile $name]} { refuse "no file $name" }
    }
}
proc export_design {args} {
    record export_design {*}$args
    set folder [file dirname [lindex $args [expr {[lsearch $args -output] + 1}]]]
    if {![file isdirectory $folder]} { refuse "no folder $folder" }
}
proc record {args} {
    set words {}
    foreach word $args { lappend words [binary encode hex [encoding convertto utf-8 $word]] }
    puts "CALL [join $words ,]"
}
rename file tcl_file
proc file {what args} { if {$what eq "copy"} { record file_copy {*}$args } else { tcl_file $what {*}$args } }
proc exit {args} {}
proc unknown {name args} {
    record $name {*}$args
    set plain [namespace tail $name]
    if {[string match get_* $plain] || [string match current_* $plain]} { return [lindex $args end] }
    if {[string match ipx::add_* $name]} { return [lindex $args 0] }
    return ""
}
"""
)


@dataclass(frozen=True)
class Command:
    """What a manual says of a command: options without a value, options with one, and how many words follow them."""

    flags: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    least: int = 0
    most: int = 0


def command(flags: str = "", options: str = "", least: int = 0, most: int | None = None) -> Command:
    return Command(frozenset(flags.split()), frozenset(options.split()), least, least if most is None else most)


# UG1399, "Vitis HLS Command Reference": project, design and solution commands
VITIS_HLS = {
    "open_project": command("-reset -upgrade", "", 1),
    "set_top": command(least=1),
    "add_files": command("-tb", "-cflags -csimflags -blackbox", 1),
    "open_solution": command("-reset", "-flow_target", 1),
    "set_part": command(least=1),
    "create_clock": command("", "-period -name", 0),
    "csim_design": command("-O -clean -setup", "-argv -ldflags -mflags"),
    "csynth_design": command("-synthesis_check -dump_cfg -dump_post_cfg"),
    "cosim_design": command(
        "-O -setup -disable_deadlock_detection -enable_dataflow_profiling -reduce_diskspace -random_stall -wave_debug",
        "-argv -rtl -tool -trace_level -ldflags -mflags -compiled_library_dir",
    ),
    "export_design": command(
        "",
        "-format -rtl -vendor -library -ipname -version -output -flow -description -display_name -taxonomy -xdc",
    ),
}
# UG835, "Vivado Design Suite Tcl Command Reference Guide"
VIVADO = {
    "create_project": command("-force -in_memory -ip", "-part", 0, 2),
    "current_project": command(most=1),
    "current_fileset": command(),
    "get_board_parts": command("-quiet -regexp -nocase", "-latest_file_version -latest_hw_revision -filter", 0, 1),
    "get_property": command("-quiet", "-min -max", 2),
    "get_runs": command("-quiet", "-filter", 0, 1),
    "get_files": command("-quiet", "-of_objects", 0, 1),
    "get_ports": command("-quiet", "-of_objects", 0, 1),
    "get_timing_paths": command("-setup -hold", "-max_paths -nworst -delay_type"),
    "get_bd_cells": command("-quiet", "-filter", 0, 1),
    "get_bd_pins": command("-quiet", "-of_objects", 0, 1),
    "get_bd_intf_pins": command("-quiet", "-of_objects", 0, 1),
    "get_bd_addr_spaces": command("-quiet", "-of_objects", 0, 1),
    "get_bd_addr_segs": command("-quiet", "-of_objects", 0, 1),
    "get_ipdefs": command("-quiet -regexp -nocase -all", "-of_objects -filter", 0, 1),
    "update_ip_catalog": command("-rebuild", "-repo_path"),
    "create_bd_design": command(least=1),
    "create_bd_cell": command("", "-type -vlnv -reference", 1),
    "apply_bd_automation": command("", "-rule -config -dict", 1),
    "connect_bd_intf_net": command("", "-intf_net", 2),
    "connect_bd_net": command("", "-net", 2, 64),
    "assign_bd_address": command("-force", "-offset -range -target_address_space", 0, 1),
    "validate_bd_design": command("-force"),
    "save_bd_design": command(most=1),
    "make_wrapper": command("-top -import -force", "-files -fileset", 0, 1),
    "launch_runs": command("-force", "-to_step -jobs", 1, 8),
    "wait_on_run": command("-quiet", "-timeout", 1),
    "open_run": command("-quiet", "-name", 1),
    "read_verilog": command("-sv", "-library", 1),
    "read_xdc": command("-unmanaged -no_add", "-cells -ref -mode", 1),
    "synth_design": command("-rtl", "-top -part -mode -name -flatten_hierarchy -directive"),
    "report_utilization": command("-hierarchical -append", "-file -cells"),
    "report_timing_summary": command("", "-file -max_paths -nworst -delay_type"),
    "file_copy": command("-force", "", 2),
}
# UG1118, "Creating and Packaging Custom IP", and the help of the commands in Vivado
OF_CORE = command("-quiet -verbose -regexp -nocase", "-of_objects -filter", 0, 1)
PACKAGER = {
    **{name: VIVADO[name] for name in ("create_project", "current_project", "current_fileset", "get_property")},
    "add_files": command("-norecurse -scan_for_includes -quiet", "-fileset -of_objects", 0, 1),
    "update_compile_order": command("-force_gui -quiet", "-fileset"),
    "close_project": command("-delete -quiet"),
    "ipx::package_project": command(
        "-import_files -force -force_update_compile_order -quiet",
        "-root_dir -vendor -library -taxonomy -module -set_current -archive_source_project -generated_files",
        0,
        1,
    ),
    "ipx::current_core": command("-quiet", "", 0, 1),
    "ipx::get_memory_maps": OF_CORE,
    "ipx::get_bus_interfaces": OF_CORE,
    "ipx::remove_memory_map": command("-quiet", "", 1, 2),
    "ipx::add_memory_map": command("-quiet", "", 1, 2),
    "ipx::add_address_block": command("-quiet", "", 1, 2),
    "ipx::add_register": command("-quiet", "", 1, 2),
    "ipx::create_xgui_files": command("-quiet", "-logo_file", 0, 1),
    "ipx::update_checksums": command("-quiet", "", 0, 1),
    "ipx::check_integrity": command("-quiet -xrt", "", 0, 1),
    "ipx::save_core": command("-quiet", "", 0, 1),
}
DICT = command("-dict", "", 2)  # set_property: a dictionary and objects, or name, value and objects
PLAIN = command("-quiet", "", 3)


def run(script: Path, prelude: str = "") -> list[list[str]]:
    """Words of every vendor's command that a script calls; `prelude` is Tcl to define answers in.

    Raises:
        RuntimeError: the script ends in an error.
    """
    if shutil.which("tclsh") is None:
        pytest.skip("tclsh is not installed")
    driver = script.with_name("recorded.tcl")
    driver.write_text(f"{RECORDER}{prelude}\nsource {{{script}}}\n")
    done = subprocess.run(["tclsh", driver], cwd=script.parent, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise RuntimeError(done.stderr)
    lines = [line[5:].split(",") for line in done.stdout.splitlines() if line.startswith("CALL ")]
    return [[bytes.fromhex(word).decode() for word in words] for words in lines]


def check(calls: list[list[str]], commands: Mapping[str, Command]) -> None:
    """Every call is one that the manual knows, with its options and as many words as it takes.

    Raises:
        ValueError: it is not.
    """
    for name, *words in calls:
        if name == "set_property":
            known = DICT if "-dict" in words else PLAIN
        elif name in commands:
            known = commands[name]
        else:
            raise ValueError(f"{name} {' '.join(words)}: no such command")
        plain, rest = 0, iter(words)
        for word in rest:
            if word in known.options:
                if (value := next(rest, None)) is None or value in known.options | known.flags:
                    raise ValueError(f"{name}: {word} lacks its value")
            elif word not in known.flags:
                if word.startswith("-"):
                    raise ValueError(f"{name}: no option {word}")
                plain += 1
        if not known.least <= plain <= known.most:
            raise ValueError(f"{name}: {plain} arguments; {known.least} to {known.most} are documented")
