"""The engine's C++ under g++: compiled, run and traced."""
