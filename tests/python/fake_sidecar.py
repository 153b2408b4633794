"""A sidecar that does what a test tells it, frame by frame.

    with FakeSidecar(folder) as sidecar:
        ...                         # something that calls consume, in a thread
        call = sidecar.next_call()  # its stream
        call.started()
        call.send_records("orders", 0, 0, ["a", "b"])
        assert call.acked(2) == {1, 2}
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from datapy_kafka.v1 import error_pb2
from datapy_kafka.v1 import sidecar_pb2 as pb

TIMEOUT_S = 10.0
SERVICE = "datapy_kafka.v1.KafkaSidecar"


def details_of(code: grpc.StatusCode, message: str, reason: str, **metadata: str) -> tuple[str, bytes]:
    """The trailer that tells a client why a call failed."""
    info = error_pb2.RpcErrorInfo(reason=reason, domain="datapy-kafka-sidecar", metadata=metadata)
    status = error_pb2.RpcStatus(code=code.value[0], message=message)
    detail = status.details.add()
    detail.type_url = "type.googleapis.com/google.rpc.ErrorInfo"
    detail.value = info.SerializeToString()
    return "grpc-status-details-bin", status.SerializeToString()


class Failure(Exception):
    """How a call is to fail."""

    def __init__(self, code: grpc.StatusCode, message: str, reason: str = "", **metadata: str) -> None:
        super().__init__(message)
        self.code, self.message, self.reason, self.metadata = code, message, reason, metadata

    def abort(self, context: grpc.ServicerContext) -> None:
        if self.reason:
            context.set_trailing_metadata([details_of(self.code, self.message, self.reason, **self.metadata)])
        context.abort(self.code, self.message)


class FakeCall:
    """One Consume stream, seen from the daemon."""

    def __init__(self, requests: Iterator[pb.ConsumeRequest], context: grpc.ServicerContext) -> None:
        self._out: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._in: queue.SimpleQueue[pb.ConsumeRequest | None] = queue.SimpleQueue()
        self.context = context
        self.next_id = 1
        self.frames: list[pb.ConsumeRequest] = []
        self._reader = threading.Thread(target=self._read, args=(requests,), daemon=True)
        self._reader.start()
        self.start = self.next_frame("start").start

    def _read(self, requests: Iterator[pb.ConsumeRequest]) -> None:
        try:
            for request in requests:
                self._in.put(request)
        except Exception:
            pass
        self._in.put(None)

    def serve(self) -> Iterator[Any]:
        while (frame := self._out.get()) is not None:
            if isinstance(frame, Failure):
                frame.abort(self.context)
            yield frame

    # --- what the client sent ---

    def next_request(self, timeout_s: float = TIMEOUT_S) -> pb.ConsumeRequest | None:
        """The next frame of the client; None for its half-close."""
        request = self._in.get(timeout=timeout_s)
        if request is not None:
            self.frames.append(request)
        return request

    def next_frame(self, kind: str) -> pb.ConsumeRequest:
        request = self.next_request()
        assert request is not None, f"half-closed where {kind} was expected"
        assert request.WhichOneof("frame") == kind, f"{request} where {kind} was expected"
        return request

    def acks(self, count: int) -> tuple[set[int], list[pb.Nack]]:
        """Reads acks until `count` deliveries are answered."""
        done: set[int] = set()
        nacks: list[pb.Nack] = []
        while len(done) + len(nacks) < count:
            ack = self.next_frame("ack").ack
            for one in ack.ranges:
                ids = set(range(one.first_id, (one.last_id or one.first_id) + 1))
                assert not ids & done, "acked twice"
                done |= ids
            nacks.extend(ack.nacks)
        return done, nacks

    def acked(self, count: int) -> set[int]:
        """Reads acks until `count` deliveries are acked, none of them nacked."""
        done, nacks = self.acks(count)
        assert not nacks, nacks
        return done

    def nothing_for(self, seconds: float) -> None:
        """Asserts that the client sends nothing."""
        try:
            request = self._in.get(timeout=seconds)
        except queue.Empty:
            return
        raise AssertionError(f"nothing was expected and came: {request}")

    # --- what the daemon sends ---

    def send(self, **frame: Any) -> None:
        self._out.put(pb.ConsumeResponse(**frame))

    def wait_until_read(self) -> None:
        """Waits until the client has read all that was sent: it logs a notice in order."""
        seen = threading.Event()
        text = f"read so far: {id(seen)}"

        class Watch(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if text in record.getMessage():
                    seen.set()

        logger, watch = logging.getLogger("datapy_kafka"), Watch()
        logger.addHandler(watch)
        try:
            self.send(notice=pb.Notice(severity=pb.SEVERITY_WARNING, message=text))
            assert seen.wait(TIMEOUT_S)
        finally:
            logger.removeHandler(watch)

    def send_bytes(self, frame: bytes) -> None:
        self._out.put(frame)

    def started(self, max_attempts: int = 1) -> None:
        self.send(started=pb.Started(session_id="s-1", daemon_version="test", max_attempts=max_attempts,
                                     max_in_flight_records=10_000))

    def send_records(self, topic: str, partition: int, offset: int, values: list[Any],
                     keys: list[Any] | None = None, attempts: dict[int, int] | None = None,
                     headers: dict[int, list[tuple[str, bytes | None]]] | None = None) -> int:
        """Sends records of one partition; returns the first one's delivery id."""
        first = self.next_id
        columns = make_columns(first, [(topic, partition, offset, values)], keys, attempts, headers)
        self.next_id += len(values)
        self.send(columns=columns)
        return first

    def drain(self, reason: int = pb.STOP_REASON_CLIENT) -> None:
        self.send(draining=pb.Draining(reason=reason))

    def finish(self, reason: int = pb.STOP_REASON_CLIENT, clean: bool = True, **stopped: Any) -> None:
        """Sends the last frame and ends the call with OK."""
        self.send(stopped=pb.Stopped(reason=reason, clean=clean, **stopped))
        self.end()

    def end(self, failure: Failure | None = None) -> None:
        self._out.put(failure)

    def expect_end(self) -> list[str]:
        """Reads to the half-close; returns the kinds of the frames on the way."""
        kinds = []
        while (request := self.next_request()) is not None:
            kinds.append(request.WhichOneof("frame"))
        return kinds


def make_columns(first_id: int, runs: list[tuple[str, int, int, list[Any]]], keys: list[Any] | None = None,
                 attempts: dict[int, int] | None = None,
                 headers: dict[int, list[tuple[str, bytes | None]]] | None = None) -> pb.RecordColumns:
    """A frame as the daemon makes it."""
    columns = pb.RecordColumns(first_delivery_id=first_id)
    everything: list[Any] = []
    for topic, partition, offset, values in runs:
        columns.runs.add(topic=topic, partition=partition, count=len(values),
                         timestamp_type=pb.TIMESTAMP_TYPE_CREATE_TIME)
        columns.offsets.extend(range(offset, offset + len(values)))
        everything.extend(values)
    columns.timestamps_ms.extend([1_700_000_000_000] * len(everything))
    _fill(everything, columns.values, columns.value_bytes, columns.null_values)
    if keys is not None:
        _fill(keys, columns.keys, columns.key_bytes, columns.null_keys)
    for index, attempt in (attempts or {}).items():
        columns.attempts.add(index=index, attempt=attempt)
    for index, pairs in (headers or {}).items():
        columns.headers.add(index=index, headers=[pb.Header(name=n, value=v) for n, v in pairs])
    return columns


def _fill(cells: list[Any], texts: Any, raw: Any, nulls: Any) -> None:
    if all(cell is None for cell in cells):
        return
    nulls.extend(index for index, cell in enumerate(cells) if cell is None)
    if any(isinstance(cell, bytes) for cell in cells):
        raw.extend(cell.encode() if isinstance(cell, str) else cell or b"" for cell in cells)
    else:
        texts.extend(cell or "" for cell in cells)


def _serialize(frame: Any) -> bytes:
    return frame if isinstance(frame, bytes) else frame.SerializeToString()


class FakeSidecar:
    """The server; `address` is where it listens."""

    def __init__(self, folder: Path, name: str = "s.sock") -> None:
        self.address = f"unix://{folder}/{name}"
        self.calls: queue.SimpleQueue[FakeCall] = queue.SimpleQueue()
        self.produced: list[pb.ProduceRequest] = []
        self.checked: list[pb.CheckConnectionRequest] = []
        self.on_produce: Callable[[pb.ProduceRequest], pb.ProduceResponse] = all_succeed
        self.check_failure: Failure | None = None
        self.produce_failure: Failure | None = None
        self.status = pb.GetStatusResponse(version="test")
        self._server: grpc.Server | None = None

    def start(self) -> None:
        server = grpc.server(futures.ThreadPoolExecutor(16), options=[
            ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {
            "Consume": stream(self._consume, pb.ConsumeRequest.FromString, _serialize),
            "Produce": unary(self._produce, pb.ProduceRequest.FromString, _serialize),
            "CheckConnection": unary(self._check, pb.CheckConnectionRequest.FromString, _serialize),
            "GetStatus": unary(lambda request, context: self.status, pb.GetStatusRequest.FromString, _serialize),
        }),))
        assert server.add_insecure_port(self.address)
        server.start()
        self._server = server

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def next_call(self, timeout_s: float = TIMEOUT_S) -> FakeCall:
        return self.calls.get(timeout=timeout_s)

    def _consume(self, requests: Iterator[pb.ConsumeRequest], context: grpc.ServicerContext) -> Iterator[Any]:
        call = FakeCall(requests, context)
        context.add_callback(lambda: call.end())
        self.calls.put(call)
        yield from call.serve()

    def _produce(self, request: pb.ProduceRequest, context: grpc.ServicerContext) -> pb.ProduceResponse:
        if self.produce_failure is not None:
            self.produce_failure.abort(context)
        self.produced.append(request)
        return self.on_produce(request)

    def _check(self, request: pb.CheckConnectionRequest,
               context: grpc.ServicerContext) -> pb.CheckConnectionResponse:
        self.checked.append(request)
        if self.check_failure is not None:
            self.check_failure.abort(context)
        return pb.CheckConnectionResponse(broker_count=1, topics=["orders"], librdkafka_version="2.0.2")

    def __enter__(self) -> FakeSidecar:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def texts(columns: pb.ProduceColumns, name: str) -> list[str]:
    """The column of texts, "value" or "key", whichever of its two forms it has."""
    lines: str = getattr(columns, f"{name}_lines")
    return lines.split("\n")[:-1] if lines else list(getattr(columns, f"{name}s"))


def row_count(request: pb.ProduceRequest) -> int:
    return len(texts(request.columns, "value")) + len(request.columns.value_bytes)


def all_succeed(request: pb.ProduceRequest) -> pb.ProduceResponse:
    return pb.ProduceResponse(succeeded=row_count(request), bytes=10 * row_count(request))
