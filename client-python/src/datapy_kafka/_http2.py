"""A connection to the daemon that carries one unary call at a time: the HTTP/2 that one needs.

Used by _direct.py, which says why.
"""

from __future__ import annotations

import os
import socket
import struct
import time

# With gRPC's prefix of five bytes it fits a frame of the least size that HTTP/2 allows.
MAX_MESSAGE = 16_384 - 5
# A connection is replaced long before its window or its stream ids are used up.
_MAX_RECEIVED, _MAX_STREAM = 1 << 30, 1 << 30
_CONNECT_S = 1.0

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_END_STREAM, _END_HEADERS, _ACK, _PADDED = 0x1, 0x4, 0x1, 0x8
_REFUSED_STREAM = 7
_WINDOW, _LARGEST_WINDOW = 65_535, (1 << 31) - 1


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">HBBBI", len(payload) >> 8, len(payload) & 0xFF, kind, flags, stream) + payload


def literal(text: bytes) -> bytes:
    assert len(text) < 127
    return bytes([len(text)]) + text


# No table of headers, so that none has to be kept; no push; a window that never closes.
_PREFACE = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + _frame(_SETTINGS, 0, 0, struct.pack(">HIHIHI", 1, 0, 2, 0, 4, _LARGEST_WINDOW))
            + _frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _LARGEST_WINDOW - _WINDOW)))


class Broken(Exception):
    """The connection is of no more use."""


class Connection:
    """One connection, one call at a time."""

    def __init__(self, path: str) -> None:
        self.owner = os.getpid()
        self.reusable = True
        self._socket = socket.socket(socket.AF_UNIX)
        self._timeout_s = 0.0
        try:
            self.limit(_CONNECT_S)
            self._socket.connect(path)
            self._socket.sendall(_PREFACE)
        except BaseException:
            self.close()
            raise
        self._next_stream, self._last_processed = 1, _LARGEST_WINDOW
        self._buffer = bytearray()
        self._received = 0
        self._window = self._stream_window = _WINDOW

    def close(self) -> None:
        """Closes it; a call that it carries goes on in the daemon."""
        self._socket.close()

    def limit(self, timeout_s: float) -> None:
        """How long one send or receive may take. The kernel's, which costs no further call."""
        if timeout_s != self._timeout_s:
            whole = int(timeout_s)
            value = struct.pack("ll", whole, int((timeout_s - whole) * 1e6) or int(not whole))
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                self._socket.setsockopt(socket.SOL_SOCKET, option, value)
            self._timeout_s = timeout_s

    def is_ready(self, size: int) -> bool:
        """Takes in what came since the last call; whether it can carry a message of that size."""
        try:
            while self._receive(socket.MSG_DONTWAIT):
                while (frame := self._next_frame()) is not None:
                    self._control(*frame)
        except BlockingIOError:
            pass
        except (OSError, Broken):
            self.reusable = False
        return self.reusable and size + 5 <= min(self._window, self._stream_window)

    def call(self, headers: bytes, message: bytes, deadline: float) -> bytes | None:
        """Returns the answer, or None when the daemon has done nothing."""
        stream = self._next_stream
        self._next_stream += 2
        body = b"\0" + struct.pack(">I", len(message)) + message
        try:
            self._socket.sendall(_frame(_HEADERS, _END_HEADERS, stream, headers)
                                 + _frame(_DATA, _END_STREAM, stream, body))
        except (BrokenPipeError, ConnectionResetError):  # The end is missing: the daemon cannot begin.
            return None
        self._window -= len(body)
        data, ended = b"", False
        while True:
            while (frame := self._next_frame()) is None:
                if time.monotonic() >= deadline:
                    raise TimeoutError
                if not self._receive():
                    raise Broken
            kind, flags, of, payload = frame
            if of != stream or kind == _WINDOW_UPDATE:
                self._control(kind, flags, of, payload)
                if self._last_processed < stream:
                    return None
                continue
            if kind == _RST_STREAM:
                if payload == struct.pack(">I", _REFUSED_STREAM):
                    return None
                raise Broken
            if kind not in (_DATA, _HEADERS, _CONTINUATION) or (kind == _DATA and flags & _PADDED):
                raise Broken
            if kind == _DATA:
                data += payload
            # The end of headers may come in a later frame than the end of the stream.
            ended |= kind != _CONTINUATION and bool(flags & _END_STREAM)
            if ended and (kind == _DATA or flags & _END_HEADERS):
                break
        if self._received > _MAX_RECEIVED or self._next_stream > _MAX_STREAM:
            self.reusable = False
        if not data:
            return None
        if data[0] != 0 or int.from_bytes(data[1:5], "big") != len(data) - 5:
            raise Broken
        return data[5:]

    def _receive(self, flags: int = 0) -> int:
        received = self._socket.recv(65_536, flags)
        if not received:
            raise Broken
        self._buffer += received
        self._received += len(received)
        return len(received)

    def _next_frame(self) -> tuple[int, int, int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 9:
            return None
        end = 9 + (buffer[0] << 16 | buffer[1] << 8 | buffer[2])
        if len(buffer) < end:
            return None
        frame = buffer[3], buffer[4], int.from_bytes(buffer[5:9], "big") & _LARGEST_WINDOW, bytes(buffer[9:end])
        del buffer[:end]
        return frame

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACK:
            for at in range(0, len(payload) - 5, 6):
                name, value = struct.unpack_from(">HI", payload, at)
                if name == 4:
                    self._stream_window = value
            self._socket.sendall(_frame(_SETTINGS, _ACK, 0))
        elif kind == _PING and not flags & _ACK:
            self._socket.sendall(_frame(_PING, _ACK, 0, payload))
        elif kind == _WINDOW_UPDATE and stream == 0:
            self._window += int.from_bytes(payload, "big")
        elif kind == _GOAWAY:
            self.reusable = False
            self._last_processed = int.from_bytes(payload[:4], "big") & _LARGEST_WINDOW
