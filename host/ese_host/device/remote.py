"""A board in the network, through PYNQ.remote (pynq 4.0, gRPC on port 7967), with a deadline on every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import grpc  # type: ignore[import-untyped]
from pynq.pl_server.remote_device import PYNQ_PORT, RemoteDevice

from ese_host.errors import DeviceError

CALL_SECONDS = 2.0
"""How long one call for registers or buffers may take."""
FILE_SECONDS = 30.0
"""How long one file may take to the board: a bitstream has up to 20 MB."""


class Details(NamedTuple):
    """A call's details, as gRPC wants them."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class Deadline(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[misc]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
):
    """Gives each call a deadline, and turns gRPC's errors into ConnectionError."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """One request, one response."""
        return _checked(continuation(self._limited(details), request))

    def intercept_stream_unary(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        """Many requests, one response."""
        return _checked(continuation(self._limited(details), requests))

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Iterator[Any]:
        """One request, many responses."""
        try:
            yield from continuation(self._limited(details), request)
        except grpc.RpcError as error:
            raise _lost(error) from error

    def _limited(self, details: Any) -> Details:
        return Details(details.method, self._seconds, details.metadata, details.credentials, None, None)


def _checked(call: Any) -> Any:
    error = call.exception()
    if error is not None:
        raise _lost(error) from error
    return call


def _lost(error: Any) -> ConnectionError:
    code = error.code() if hasattr(error, "code") else type(error).__name__
    return ConnectionError(f"the board does not answer ({getattr(code, 'name', code)})")


def connect(address: str, port: int = PYNQ_PORT, *, seconds: float = CALL_SECONDS) -> Any:
    """A pynq Device for a board that runs the PYNQ.remote image; pass it to `Accelerator` as `device=`.

    Args:
        address: the board's name or IP address; `name:port` for another port than PYNQ.remote's.
        port: of its gRPC server.
        seconds: how long one call for registers or buffers may take.

    Raises:
        DeviceError: no such board answers.
    """
    name, colon, digits = address.rpartition(":")
    if colon and digits.isdigit():
        address, port = name, int(digits)
    try:
        device = RemoteDevice(ip_addr=address, port=port, tag=f"remote-{address}-{port}")
        for name, service in device._stub.items():
            limit = max(seconds, FILE_SECONDS) if name == "device" else seconds
            device._stub[name] = type(service)(grpc.intercept_channel(device.client.channel, Deadline(limit)))
        device.get_arch()
    except (RuntimeError, OSError, grpc.RpcError) as error:
        raise DeviceError(
            f"no PYNQ.remote board answers at {address}:{port} ({error}); is it on, and does it run the remote image?"
        ) from error
    return device
