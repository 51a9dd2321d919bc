"""Where packets go: a board through pynq, an emulated board through pynq, or an emulated board without it.

engine.py holds the compiled engine, memory.py, axi_dma.py and board.py what stands around it on a board, registers and
all; emulated_pynq.py is that board as a pynq Device, adapter.py its drivers where pynq is absent. platform.py chooses.
"""
