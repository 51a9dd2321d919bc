# SPDX-License-Identifier: Apache-2.0
"""Data of the boards, the block design around the engine, and the block design's .hwh file."""

from ese_host.boards.board import Board, board_names, load_board
from ese_host.boards.processor import BLOCK_BYTES, MAX_TRANSFER_BYTES

__all__ = ["BLOCK_BYTES", "MAX_TRANSFER_BYTES", "Board", "board_names", "load_board"]
