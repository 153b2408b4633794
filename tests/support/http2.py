"""HTTP/2 by hand: frames that no client library would send.

    with Http2(daemon.socket) as raw:
        raw.headers(1, CONSUME)
        raw.data(1, message(request.SerializeToString())[:3])
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Self

CONSUME = "/datapy_kafka.v1.KafkaSidecar/Consume"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_ACK, _END_HEADERS = 0x1, 0x4
# What a peer may send at once in one frame unless told otherwise.
_MAX_FRAME = 16_384


def message(body: bytes) -> bytes:
    """A gRPC message: not compressed, its length, its bytes."""
    return b"\0" + struct.pack(">I", len(body)) + body


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


class Http2:
    """A connection with its preface sent. Nothing that arrives is looked at."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        # Blocking: with a time limit a full queue of the listener would be an error at once.
        self.socket.connect(str(path))
        self.socket.settimeout(20)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, b"")
                            + _frame(_SETTINGS, _ACK, 0, b""))

    def headers(self, stream: int, path: str) -> None:
        """Opens a gRPC call."""
        self.socket.sendall(call_headers(stream, path))

    def data(self, stream: int, body: bytes) -> None:
        """Bytes of a call, at most 64 KiB: no window is waited for."""
        for first in range(0, len(body), _MAX_FRAME):
            self.socket.sendall(_frame(_DATA, 0, stream, body[first:first + _MAX_FRAME]))

    def closed(self) -> bool:
        """Whether the other side has closed it; reads what has arrived."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1 << 16):
                pass
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Closes it without a goodbye."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def call_headers(stream: int, path: str) -> bytes:
    """The frame that opens a gRPC call."""
    block = (b"\x83\x86"  # POST, http
             + b"\x04" + bytes([len(path)]) + path.encode() + b"\x01\x09localhost"
             + _literal(b"te", b"trailers") + _literal(b"content-type", b"application/grpc"))
    return _frame(_HEADERS, _END_HEADERS, stream, block)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload
