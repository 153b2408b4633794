"""Writes records through the daemon, a few requests for many records."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from ._address import Stub
from ._connection import KafkaConnectionConfig, text_properties
from ._data import Columns, HeaderList, header_list, to_pieces
from ._errors import (
    InvalidArgument,
    KafkaSidecarError,
    SendError,
    for_reason,
    reason_name,
)
from ._produce_calls import ProduceCalls
from ._produce_options import ProduceOptions
from ._results import ProduceFailure, ProduceResult
from ._session import Log
from ._tables import Lines
from ._wire import MAX_ROWS, chunks, fill, header
from .v1 import sidecar_pb2 as pb

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
        self._calls = ProduceCalls(stub, options.flush_timeout_s, connection.connect_timeout_s)
        self._topic = topic
        self._options = options
        self._log = log
        # What all requests have in common, as bytes: messages one behind the other are one message.
        base = pb.ProduceRequest(
            connection=connection.to_proto(), properties=text_properties(options.properties),
            headers=[header(one) for one in header_list(options.headers)])
        base.timeout.FromMilliseconds(int(options.flush_timeout_s * 1000))
        self._base = base.SerializeToString()
        self._mode = pb.PRODUCE_MODE_DELIVERED if options.flush else pb.PRODUCE_MODE_ENQUEUED
        self._lock = threading.Lock()

    def send(self, value: Any, key: Any = None, headers: Any = None,
             topic: str | None = None) -> ProduceResult:
        """Writes one record, or all the records of a list or table."""
        options = self._options
        count, pieces = to_pieces(value, value_format=options.value_format, rows=MAX_ROWS,
                                  key_column=options.key_column if key is None else None,
                                  key_value=key if key is not None else options.key_value,
                                  headers_column=options.headers_column)
        own = header_list(headers)
        return self._write(self._topic_of(topic), count, pieces, own)

    def flush(self) -> ProduceResult:
        """Waits until what was sent without flush is safe on the broker, or failed."""
        request = pb.ProduceRequest(mode=pb.PRODUCE_MODE_DELIVERED).SerializeToString() + self._base
        began = time.monotonic()
        result = ProduceResult()
        self._take(result, self._calls.call(request), "", 0)
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

    def _write(self, topic: str, count: int, pieces: Iterator[Columns], headers: HeaderList) -> ProduceResult:
        began, result, answered = time.monotonic(), ProduceResult(), 0
        with self._lock:  # One request after the other keeps the order of a key.
            requests = self._requests(topic, pieces, headers)
            try:
                # While one is under way the next is made.
                for first, last, answer in self._calls.in_order(requests, count):
                    _require_all(answer, last - first, topic)
                    self._take(result, answer, topic, first)
                    answered = last
            except KafkaSidecarError as error:
                result.failed += count - answered
                result.duration_s = time.monotonic() - began
                error.result = result
                if self._options.on_send_error == "raise" or isinstance(error, InvalidArgument):
                    raise
                result.errors.append(ProduceFailure(topic, answered, error.reason or "UNAVAILABLE",
                                                    str(error), error.reason != "INTERNAL"))
        return self._finish(result, began, topic)

    def _requests(self, topic: str, pieces: Iterator[Columns],
                  headers: HeaderList) -> Iterator[tuple[int, int, bytes]]:
        before = 0
        for columns in pieces:
            if headers:
                given = columns.headers or [[]] * len(columns.values)
                columns.headers = [[*headers, *one] for one in given]
            for first, last in chunks(columns):
                request = self._request(topic, columns, first, last)
                request.MergeFromString(self._base)  # Behind its bytes it would copy them all.
                yield before + first, before + last, request.SerializeToString()
            before += len(columns.values)

    def _request(self, topic: str, columns: Columns, first: int, last: int) -> pb.ProduceRequest:
        request = pb.ProduceRequest(topic=topic, mode=self._mode)
        wire = request.columns
        values = columns.values
        fill(wire, "value", values if isinstance(values, Lines) else values[first:last])
        keys = columns.keys[first:last]
        if keys.count(None) < len(keys):
            # As lines only beside such values: who does not know them answers for no record.
            fill(wire, "key", keys, may_be_lines=bool(wire.value_lines))
        for index, headers in enumerate(columns.headers[first:last]):
            if headers:
                wire.headers.add(index=index, headers=[header(one) for one in headers])
        return request

    def _take(self, result: ProduceResult, response: pb.ProduceResponse, topic: str, first: int) -> None:
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


def _require_all(answer: pb.ProduceResponse, count: int, topic: str) -> None:
    """Raises when the answer is not one for all records, as that of a daemon that does not know a field."""
    told = answer.succeeded + len(answer.failures)
    if told != count:
        raise KafkaSidecarError(
            f"the sidecar answered for {told} of {count} records for {topic!r}; is it older than this client? "
            "Use the same version of both", reason="INTERNAL")
