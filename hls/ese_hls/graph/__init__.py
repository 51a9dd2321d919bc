"""The nodes of hls4ml's graph that are ours, and the graph that is traced through the engine.

Both modules import hls4ml, which may itself be half imported when it loads this backend: they are imported by name.
"""
