"""Writes records through the daemon, a few requests for many records."""

from __future__ import annotations

import threading
import time
from typing import Any

import grpc

from ._address import Stub
from ._connection import KafkaConnectionConfig, text_properties
from ._data import Columns, header_list, to_columns
from ._errors import (
    InvalidArgument,
    KafkaSidecarError,
    SendError,
    SidecarUnavailable,
    for_reason,
    from_rpc_error,
    reason_name,
)
from ._produce_options import ProduceOptions
from ._results import ProduceFailure, ProduceResult
from ._session import Log
from ._wire import chunks, fill, header
from .v1 import sidecar_pb2 as pb

_DEADLINE_SLACK_S = 2.0
_RETRY_S = 0.1
_ERRORS_LISTED = 1000


class Producer:
    """Writes to Kafka from any thread; made by `Client.producer`.

    Use it inside a callback in place of the kafka_producer mod: it costs no
    look-ups of the framework and leaves `${...}` in payloads alone.
    """

    def __init__(self, stub: Stub, connection: KafkaConnectionConfig, topic: str | None,
                 options: ProduceOptions, log: Log) -> None:
        found = options.problems()
        if found:
            raise InvalidArgument("; ".join(found), reason="INVALID_ARGUMENT")
        self._stub = stub
        self._topic = topic
        self._options = options
        self._log = log
        self._connect_timeout_s = connection.connect_timeout_s
        self._base = pb.ProduceRequest(
            connection=connection.to_proto(), properties=text_properties(options.properties),
            headers=[header(one) for one in header_list(options.headers)],
            mode=pb.PRODUCE_MODE_DELIVERED if options.flush else pb.PRODUCE_MODE_ENQUEUED)
        self._base.timeout.FromMilliseconds(int(options.flush_timeout_s * 1000))
        self._lock = threading.Lock()

    def send(self, value: Any, key: Any = None, headers: Any = None,
             topic: str | None = None) -> ProduceResult:
        """Writes one record, or all the records of a list or table."""
        options = self._options
        columns = to_columns(value, value_format=options.value_format,
                             key_column=options.key_column if key is None else None,
                             key_value=key if key is not None else options.key_value,
                             headers_column=options.headers_column)
        if headers is not None:
            own = header_list(headers)
            given = columns.headers or [[] for _ in columns.values]
            columns.headers = [[*own, *one] for one in given]
        return self._write(self._topic_of(topic), columns)

    def flush(self) -> ProduceResult:
        """Waits until what was sent without flush is safe on the broker, or failed."""
        request = pb.ProduceRequest()
        request.CopyFrom(self._base)
        request.mode = pb.PRODUCE_MODE_DELIVERED
        began = time.monotonic()
        result = ProduceResult()
        self._take(result, self._call(request), "", 0, 0)
        return self._finish(result, began, "records sent before")

    def close(self) -> None:
        """Flushes."""
        if not self._options.flush:
            self.flush()

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _topic_of(self, topic: str | None) -> str:
        topic = self._topic if topic is None else topic
        if not isinstance(topic, str) or not topic:
            raise InvalidArgument("topic must be a text that is not empty", reason="INVALID_ARGUMENT")
        return topic

    def _write(self, topic: str, columns: Columns) -> ProduceResult:
        began, result = time.monotonic(), ProduceResult()
        with self._lock:  # One request after the other keeps the order of a key.
            for first, last in chunks(columns):
                request = self._request(topic, columns, first, last)
                try:
                    response = self._call(request)
                except KafkaSidecarError as error:
                    result.failed += len(columns.values) - first
                    result.duration_s = time.monotonic() - began
                    error.result = result
                    if self._options.on_send_error == "raise" or isinstance(error, InvalidArgument):
                        raise
                    result.errors.append(ProduceFailure(topic, first, error.reason or "UNAVAILABLE",
                                                        str(error), True))
                    break
                self._take(result, response, topic, first, last)
        return self._finish(result, began, topic)

    def _request(self, topic: str, columns: Columns, first: int, last: int) -> pb.ProduceRequest:
        request = pb.ProduceRequest()
        request.CopyFrom(self._base)
        request.topic = topic
        wire = request.columns
        fill(columns.values[first:last], wire.values, wire.value_bytes, wire.null_values)
        keys = columns.keys[first:last]
        if any(key is not None for key in keys):
            fill(keys, wire.keys, wire.key_bytes, wire.null_keys)
        for index, headers in enumerate(columns.headers[first:last]):
            if headers:
                wire.headers.add(index=index, headers=[header(one) for one in headers])
        return request

    def _call(self, request: pb.ProduceRequest) -> pb.ProduceResponse:
        timeout_s = self._options.flush_timeout_s
        wait_s = timeout_s if self._connect_timeout_s is None else self._connect_timeout_s
        until = time.monotonic() + wait_s
        while True:
            try:
                return self._stub.produce(request, timeout=timeout_s + _DEADLINE_SLACK_S)
            except grpc.RpcError as failure:
                error = from_rpc_error(failure, self._stub.address)
                # Only what was certainly not sent may be sent again.
                unsent = "failed to connect" in (failure.details() or "").lower()  # type: ignore[attr-defined]
                if not (unsent and isinstance(error, SidecarUnavailable)) or time.monotonic() >= until:
                    raise error from None
            time.sleep(_RETRY_S)

    def _take(self, result: ProduceResult, response: pb.ProduceResponse, topic: str,
              first: int, last: int) -> None:
        result.sent += response.succeeded
        result.bytes += response.bytes
        result.failed += len(response.failures) + response.earlier_failures
        for one in response.failures[:_ERRORS_LISTED - len(result.errors)]:
            result.errors.append(ProduceFailure(topic, first + one.index, reason_name(one.reason),
                                                one.message, one.retriable))

    def _finish(self, result: ProduceResult, began: float, what: str) -> ProduceResult:
        result.duration_s = time.monotonic() - began
        if not result.failed:
            return result
        why = (f"record {result.errors[0].index}: {result.errors[0].message} ({result.errors[0].reason})"
               if result.errors else "they were queued before; the sidecar's log says why")
        text = f"{result.failed} of {result.sent + result.failed} records for {what!r} were not written: {why}"
        if self._options.on_send_error == "log":
            self._log.error("%s", text)
            return result
        reason = result.errors[0].reason if result.errors else ""
        error = for_reason(reason, text)
        if type(error) is KafkaSidecarError:
            error = SendError(text, reason=reason)
        error.result = result
        raise error
