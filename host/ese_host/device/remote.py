# SPDX-License-Identifier: Apache-2.0
"""A board reached over the network through PYNQ.remote (pynq 4.0, gRPC on port 7967), with a deadline on every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import grpc
from pynq.pl_server.remote_device import PYNQ_PORT, RemoteDevice

from ese_host.errors import DeviceError

CALL_SECONDS = 2.0
"""Seconds that one call for registers or buffers may take."""
FILE_SECONDS = 30.0
"""Seconds that sending one file to the board may take; a bitstream has up to 20 MB."""


class Details(NamedTuple):
    """A call's details, in the form of grpc.ClientCallDetails.

    Attributes:
        method: the name of the service's method.
        timeout: the deadline in seconds, or None for no deadline.
        metadata: metadata sent with the call.
        credentials: credentials of the call.
        wait_for_ready: whether to wait for a connection.
        compression: compression of the call.
    """

    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class CallDeadline(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[misc]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
):
    """Gives each gRPC call a deadline, and turns gRPC's errors into ConnectionError."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """Intercept a call with one request and one response.

        Args:
            continuation: function that makes the call.
            details: the call's details, as gRPC gives them.
            request: the request.

        Raises:
            ConnectionError: if the board does not answer in time.
        """
        return _checked(continuation(self._limited(details), request))

    def intercept_stream_unary(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        """Intercept a call with many requests and one response.

        Args:
            continuation: function that makes the call.
            details: the call's details, as gRPC gives them.
            requests: iterator over the requests.

        Raises:
            ConnectionError: if the board does not answer in time.
        """
        return _checked(continuation(self._limited(details), requests))

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Iterator[Any]:
        """Intercept a call with one request and many responses.

        Args:
            continuation: function that makes the call.
            details: the call's details, as gRPC gives them.
            request: the request.

        Raises:
            ConnectionError: if the board does not answer in time.
        """
        try:
            yield from continuation(self._limited(details), request)
        except grpc.RpcError as error:
            raise _connection_error(error) from error

    def _limited(self, details: Any) -> Details:
        return Details(details.method, self._seconds, details.metadata, details.credentials, None, None)


def _checked(call: Any) -> Any:
    """The call, once it has ended without an error."""
    error = call.exception()
    if error is not None:
        raise _connection_error(error) from error
    return call


def _connection_error(error: Any) -> ConnectionError:
    code = error.code() if hasattr(error, "code") else type(error).__name__
    return ConnectionError(f"the board does not answer ({getattr(code, 'name', code)})")


def connect(address: str, port: int = PYNQ_PORT, *, seconds: float = CALL_SECONDS) -> Any:
    """Connect to a board that runs the PYNQ.remote image; returns a pynq Device to pass to `Accelerator`.

    Args:
        address: the board's host name or IP address; `name:port` overrides `port`.
        port: port of the board's gRPC server.
        seconds: seconds that one call for registers or buffers may take.

    Raises:
        DeviceError: if no PYNQ.remote board answers at this address.
    """
    name, colon, digits = address.rpartition(":")
    if colon and digits.isdigit():
        address, port = name, int(digits)
    try:
        device = RemoteDevice(ip_addr=address, port=port, tag=f"remote-{address}-{port}")
        for name, service in device._stub.items():
            limit = max(seconds, FILE_SECONDS) if name == "device" else seconds
            device._stub[name] = type(service)(grpc.intercept_channel(device.client.channel, CallDeadline(limit)))
        device.get_arch()
    except (RuntimeError, OSError, grpc.RpcError) as error:
        raise DeviceError(
            f"no PYNQ.remote board answers at {address}:{port} ({error}); check the address, that the board is on, "
            "and that it runs the PYNQ.remote image"
        ) from error
    return device
