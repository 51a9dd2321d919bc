"""The engine and its parts as Verilog: proved against golden model and g++, and counted by Yosys."""
