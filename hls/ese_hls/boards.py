"""Boards, as the host knows them: one JSON data file each, in ese_host/boards."""

from ese_host.board import Board, board_names, load_board

__all__ = ["Board", "board_names", "load_board"]
