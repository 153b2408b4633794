"""Where the daemon listens, and the channels to it that the process shares."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ._grpc import grpc
from .v1 import sidecar_pb2 as pb

ENVIRONMENT_VARIABLE = "DATAPY_KAFKA_ADDRESS"
_SERVICE = "/datapy_kafka.v1.KafkaSidecar/"
_OPTIONS = (
    # The size of a frame is agreed at the start of the stream.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A daemon that comes back is found at once, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # The daemon is beside the job, never behind a proxy.
    ("grpc.enable_http_proxy", 0),
    ("grpc.default_authority", "localhost"),
)


def default_address() -> str:
    """Returns DATAPY_KAFKA_ADDRESS, or where a daemon listens by default."""
    given = os.environ.get(ENVIRONMENT_VARIABLE, "").strip()
    if given:
        return given
    runtime = os.environ.get("XDG_RUNTIME_DIR", "").strip()
    if runtime:
        return f"unix://{runtime.rstrip('/')}/datapy-kafka/sidecar.sock"
    return f"unix:///tmp/datapy-kafka-{os.getuid()}/sidecar.sock"


class Stub:
    """The calls of the API on one channel."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        self.address = address
        if credentials is None:
            self.channel = grpc.insecure_channel(address, options=_OPTIONS)
        else:
            options = [option for option in _OPTIONS if option[0] != "grpc.default_authority"]
            self.channel = grpc.secure_channel(address, credentials, options=options)
        self.check_connection = self._unary("CheckConnection", pb.CheckConnectionRequest,
                                            pb.CheckConnectionResponse)
        # Takes a ProduceRequest that is bytes already.
        self.produce = self.channel.unary_unary(
            _SERVICE + "Produce", response_deserializer=pb.ProduceResponse.FromString)
        self.get_status = self._unary("GetStatus", pb.GetStatusRequest, pb.GetStatusResponse)

    def consume(self, requests: Iterator[pb.ConsumeRequest], receive: Callable[[bytes], pb.ConsumeResponse]) -> Any:
        """Begins a Consume call; `receive` parses each response, in order, on gRPC's thread."""
        return self.channel.stream_stream(
            _SERVICE + "Consume",
            request_serializer=pb.ConsumeRequest.SerializeToString,
            response_deserializer=receive,
        )(requests)

    def _unary(self, name: str, request: Any, response: Any) -> Any:
        return self.channel.unary_unary(
            _SERVICE + name,
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )


_lock = threading.Lock()
_shared: dict[tuple[int, str], Stub] = {}


def shared_stub(address: str) -> Stub:
    """Returns the process's stub for the address; one channel serves every caller.

    A child made by fork gets channels of its own: gRPC's do not survive it.
    """
    key = (os.getpid(), address)
    with _lock:
        stub = _shared.get(key)
        if stub is None:
            stub = _shared[key] = Stub(address)
        return stub
