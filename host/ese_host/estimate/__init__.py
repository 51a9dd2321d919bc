"""Estimates before any synthesis: how long, on which board, with how many PEs (docs/estimate.md).

sizes.py    layers by their sizes            table.py      their phase table, as the encoder makes it
masks.py    entries and padding of each PE   timing.py     iterations a step, by ese_host.cycles
storage.py  memories to primitives           resources.py  LUT, FF, DSP by part; what a board lacks
energy.py   the talk's 45 nm table           estimate.py   all of it as one record
search.py   the fastest design for a board   show.py, command.py   the command line
"""
