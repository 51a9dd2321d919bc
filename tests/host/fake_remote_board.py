# SPDX-License-Identifier: Apache-2.0
"""A fake PYNQ.remote board on loopback: gRPC services, FPGA manager and files in front of an emulated board."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from pynq.remote import (
    buffer_pb2,
    buffer_pb2_grpc,
    mmio_pb2,
    mmio_pb2_grpc,
    remote_device_pb2,
    remote_device_pb2_grpc,
)

from ese_host.boards.board import load_board
from ese_host.device.emulated.board import EmulatedBoard
from ese_host.device.emulated.faults import Faults
from ese_host.errors import EseError
from ese_host.files.hashing import Contents

MANAGER = "/sys/class/fpga_manager/fpga0/"
FIRMWARE = "/lib/firmware/"


def as_bitstream(library: bytes, part: str) -> bytes:
    """A .bit file with a header, whose configuration data is an emulated bitstream."""
    library += b"\0" * (-len(library) % 4)
    texts = (b"design;Version=2022.2", part.encode(), b"2026/01/01", b"00:00:00")
    fields = [
        key + struct.pack(">H", len(text) + 1) + text + b"\0"
        for key, text in zip((b"a", b"b", b"c", b"d"), texts, strict=True)
    ]
    head = struct.pack(">H", 9) + b"\x0f\xf0" * 4 + b"\0" + b"\0\x01"
    return b"".join([head, *fields, b"e", struct.pack(">I", len(library)), library])


class Files(remote_device_pb2_grpc.RemoteDeviceServicer):
    """The board's files, with the FPGA manager behind those in its folder."""

    def __init__(self, board: EmulatedBoard, folder: Path, name: str) -> None:
        self.board, self.folder = board, folder
        self.loaded: list[Any] = []
        self.files: dict[str, bytes] = {
            "/proc/version": b"Linux version 6.6 (aarch64-xilinx-linux)",
            "/proc/device-tree/chosen/pynq_board": name.encode() + b"\0",
            MANAGER + "state": b"operating\n",
            MANAGER + "flags": b"0\n",
        }

    def existsfile(self, request: Any, _: Any) -> Any:
        return remote_device_pb2.ExistsFileResponse(exists=request.file_path in self.files)

    def readfile(self, request: Any, _: Any) -> Iterator[Any]:
        yield remote_device_pb2.ReadFileResponse(data=self.files[request.file_path])

    def writefile(self, requests: Iterator[Any], _: Any) -> Any:
        parts = list(requests)
        path, data = parts[0].file_path, b"".join(part.data for part in parts)
        self.files[path] = data
        if path == MANAGER + "firmware":
            raw = self.files[FIRMWARE + data.decode()]
            self.loaded.append(data.decode())
            library = self.folder / f"{len(self.loaded)}.so"
            library.write_bytes(np.frombuffer(raw, "i4").byteswap().tobytes())
            contents = Contents.of(library)
            self.board.trust(contents)
            self.board.configure(contents)
        return remote_device_pb2.WriteFileResponse()

    def set_bitstream_attrs(self, *_: Any) -> Any:
        return remote_device_pb2.SetBitstreamAttrsResponse(status=True)


class MmioService(mmio_pb2_grpc.MmioServicer):
    """Register blocks, identified by base address."""

    def __init__(self, board: EmulatedBoard) -> None:
        self.board, self.calls = board, 0

    def get_mmio(self, request: Any, _: Any) -> Any:
        return mmio_pb2.GetMmioResponse(status=True, mmio_id=str(request.base_addr))

    def read(self, request: Any, _: Any) -> Any:
        self.calls += 1
        try:
            return mmio_pb2.ReadResponse(status=True, data=self.board.read(int(request.mmio_id) + request.offset))
        except EseError as error:
            return mmio_pb2.ReadResponse(status=False, msg=str(error))

    def write(self, request: Any, _: Any) -> Any:
        try:
            for at in range(0, len(request.data), 4):
                value = int.from_bytes(request.data[at : at + 4], "little")
                self.board.write(int(request.mmio_id) + request.offset + at, value)
        except EseError as error:
            return mmio_pb2.WriteResponse(status=False, msg=str(error))
        return mmio_pb2.WriteResponse(status=True)


class Buffers(buffer_pb2_grpc.RemoteBufferServicer):
    """Buffers, identified by their region's address."""

    def __init__(self, board: EmulatedBoard) -> None:
        self.memory = board.memory
        self.regions: dict[str, Any] = {}

    def allocate(self, request: Any, _: Any) -> Any:
        region = self.memory.allocate(request.size)
        self.regions[str(region.address)] = region
        return buffer_pb2.AllocateResponse(buffer_id=str(region.address))

    def freebuffer(self, request: Any, _: Any) -> Any:
        self.memory.free(self.regions.pop(request.buffer_id).address)
        return buffer_pb2.FreeBufferResponse()

    def write(self, requests: Iterator[Any], _: Any) -> Any:
        at = 0
        for request in requests:
            data = np.frombuffer(request.data, np.uint8)
            self.regions[request.buffer_id].cached[at : at + len(data)] = data
            at += len(data)
        return buffer_pb2.BufferWriteResponse()

    def read(self, request: Any, _: Any) -> Iterator[Any]:
        data = self.regions[request.buffer_id].cached.tobytes()
        for at in range(0, len(data), 1 << 20):
            yield buffer_pb2.BufferReadResponse(data=data[at : at + (1 << 20)])

    def flush(self, request: Any, _: Any) -> Any:
        region = self.regions[request.buffer_id]
        self.memory.flush(region.address, 0, len(region.cached))
        return buffer_pb2.FlushResponse()

    def invalidate(self, request: Any, _: Any) -> Any:
        region = self.regions[request.buffer_id]
        self.memory.invalidate(region.address, 0, len(region.cached))
        return buffer_pb2.InvalidateResponse()

    def physical_address(self, request: Any, _: Any) -> Any:
        return buffer_pb2.AddressResponse(address=self.regions[request.buffer_id].address)

    virtual_address = physical_address


class FakeRemoteBoard:
    """The gRPC server of the board, at `port` of 127.0.0.1."""

    def __init__(self, board: str, folder: Path, faults: Faults | None = None) -> None:
        self.board = EmulatedBoard(load_board(board), faults)
        self.files, self.registers = Files(self.board, folder, board), MmioService(self.board)
        self.buffers = Buffers(self.board)
        self._server = grpc.server(ThreadPoolExecutor(4))
        remote_device_pb2_grpc.add_RemoteDeviceServicer_to_server(self.files, self._server)
        mmio_pb2_grpc.add_MmioServicer_to_server(self.registers, self._server)
        buffer_pb2_grpc.add_RemoteBufferServicer_to_server(self.buffers, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None)
        self.board.close()
