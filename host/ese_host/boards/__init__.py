"""Boards as data, the block design around the engine, and its .hwh file."""
