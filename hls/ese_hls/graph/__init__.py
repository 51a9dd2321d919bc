# SPDX-License-Identifier: Apache-2.0
"""This backend's nodes of hls4ml's graph, and its class of graphs.

Both modules import hls4ml, which may be only half imported when it loads this backend. Therefore nothing is imported
here: users import the modules by name.
"""
