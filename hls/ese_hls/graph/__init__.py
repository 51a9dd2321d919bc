"""The nodes of hls4ml's graph that are ours, and the graph that is traced through the engine."""
