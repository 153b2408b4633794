"""Makes a producer's calls, one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ._address import Stub
from ._errors import SidecarUnavailable, from_rpc_error
from ._grpc import grpc
from .v1 import sidecar_pb2 as pb

_DEADLINE_SLACK_S = 2.0
_RETRY_S = 0.1


class ProduceCalls:
    """Calls of Produce with requests that are bytes already."""

    def __init__(self, stub: Stub, timeout_s: float, connect_timeout_s: float | None) -> None:
        self._stub = stub
        self._timeout_s = timeout_s + _DEADLINE_SLACK_S
        self._wait_s = timeout_s if connect_timeout_s is None else connect_timeout_s

    def call(self, request: bytes, under_way: Any = None) -> pb.ProduceResponse:
        """Returns the answer; waits for a daemon that is not there yet.

        Args:
            request: What is sent, and sent again if it certainly was not.
            under_way: A call with it that has begun.
        """
        until = time.monotonic() + self._wait_s
        while True:
            try:
                response: pb.ProduceResponse = (
                    self._stub.produce(request, timeout=self._timeout_s) if under_way is None else under_way.result())
                return response
            except grpc.RpcError as failure:
                error = from_rpc_error(failure, self._stub.address)
                # Only what was certainly not sent may be sent again.
                unsent = "failed to connect" in (failure.details() or "").lower()  # type: ignore[attr-defined]
                if not (unsent and isinstance(error, SidecarUnavailable)) or time.monotonic() >= until:
                    raise error from None
            under_way = None
            time.sleep(_RETRY_S)

    def in_order(self, requests: Iterator[tuple[int, int, bytes]],
                 count: int) -> Iterator[tuple[int, int, pb.ProduceResponse]]:
        """Yields the bounds of each request, and its answer.

        A request is sent when the one before it has been answered, but made
        before. The last, which is often the only one, is called on this thread.
        """
        under_way, first, last_made, request = None, 0, 0, b""
        try:
            for following, last, made in requests:
                if under_way is not None:
                    yield first, last_made, self.call(request, under_way)
                first, last_made, request, under_way = following, last, made, None
                if last < count:
                    under_way = self._stub.produce.future(made, timeout=self._timeout_s)
            if request:
                yield first, last_made, self.call(request)
        except BaseException:
            if under_way is not None:
                under_way.cancel()
            raise
