"""Small unary calls over a unix socket, on the thread that makes them.

grpcio hands each call to threads of its own and back, which takes longer than
Kafka takes to store a record. A job that produces inside a callback waits for
every call; so small ones to a daemon on the same host go through a blocking
socket, in the little of HTTP/2 and gRPC that a unary call needs. Whatever is
out of the ordinary is left to grpcio, if the daemon has certainly not begun.

A unary answer with a message is a success: the daemon sends none with an error.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque

from ._errors import KafkaTimeout, SidecarUnavailable, unreachable_text
from ._http2 import Broken, Connection, literal

_CONNECTIONS_KEPT = 8
# How often idle connections are looked at, and how long they stay.
_LOOK_S, _IDLE_S = 0.1, 5.0


class DirectCalls:
    """Calls of one method; from any thread, each on a connection of its own meanwhile."""

    def __init__(self, address: str, method: str) -> None:
        self._address = address
        self._path = address.removeprefix("unix:").replace("///", "/", 1)
        # Indexed: POST and http; literals, by HPACK's table: :path, :authority, content-type.
        self._headers = (b"\x83\x86\x04" + literal(method.encode()) + b"\x01" + literal(b"localhost")
                         + b"\x0f\x10" + literal(b"application/grpc") + b"\x00" + literal(b"te")
                         + literal(b"trailers"))
        self._idle: deque[Connection] = deque()
        self._used_at = 0.0
        self._lock = threading.Lock()
        self._keeper: threading.Thread | None = None

    @staticmethod
    def can_reach(address: str) -> bool:
        """Whether it is a unix socket's path."""
        return address.startswith("unix:/")

    def call(self, message: bytes, timeout_s: float) -> bytes | None:
        """Returns the answer, or None when grpcio is to make the call: nothing has been done.

        Raises:
            SidecarUnavailable: the connection broke meanwhile.
            KafkaTimeout: there was no answer in time.
        """
        connection = self._connection(len(message))
        if connection is None:
            return None
        try:
            connection.limit(timeout_s)
            answer = connection.call(self._headers, message, time.monotonic() + timeout_s)
        except (BlockingIOError, TimeoutError):
            connection.close()
            raise KafkaTimeout(f"the Kafka sidecar at {self._address} did not answer within {timeout_s:g} s") from None
        except (OSError, Broken) as error:
            connection.close()
            raise SidecarUnavailable(unreachable_text(
                self._address, f"the connection broke during a call {error}".rstrip())) from None
        except BaseException:  # An exception of a signal's handler: an answer is still to come.
            connection.close()
            raise
        if answer is not None and connection.reusable and len(self._idle) < _CONNECTIONS_KEPT:
            self._used_at = time.monotonic()
            self._idle.append(connection)
            self._start_keeper()
        else:
            connection.close()
        return answer

    def _connection(self, size: int) -> Connection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if connection.owner == os.getpid() and connection.is_ready(size):
                return connection
            connection.close()
        try:
            return Connection(self._path)
        except OSError:
            return None

    def _start_keeper(self) -> None:
        keeper = self._keeper
        if keeper is not None and keeper.is_alive():
            return
        with self._lock:
            if self._keeper is None or not self._keeper.is_alive():
                self._keeper = threading.Thread(target=self._keep, name="datapy-kafka-keeper", daemon=True)
                self._keeper.start()

    def _keep(self) -> None:
        """Answers the daemon on idle connections, so that it may stop, and closes them after a while."""
        while True:
            time.sleep(_LOOK_S)
            if time.monotonic() - self._used_at > _IDLE_S:
                with self._lock:
                    self._keeper = None
                while self._idle:
                    self._close_idle()
                return
            for _ in range(len(self._idle)):
                try:
                    connection = self._idle.popleft()
                except IndexError:  # Taken by a call meanwhile.
                    break
                if connection.is_ready(0):
                    self._idle.append(connection)
                else:
                    connection.close()

    def _close_idle(self) -> None:
        try:
            self._idle.popleft().close()
        except IndexError:
            pass
