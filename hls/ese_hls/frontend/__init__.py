"""Keras 3 and Keras 2 models, read layer by layer into nodes of hls4ml's graph."""
