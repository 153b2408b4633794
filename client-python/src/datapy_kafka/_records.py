"""From a frame of columns to what a handler sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .v1 import sidecar_pb2 as pb

Text = str | bytes | None
NO_TIMESTAMP, CREATE_TIME, LOG_APPEND_TIME = 0, 1, 2


def text_or_bytes(value: bytes) -> str | bytes:
    """Returns the text when the bytes are UTF-8, else the bytes."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _column(texts: Sequence[str], raw: Sequence[bytes], nulls: Sequence[int], count: int) -> list[Text]:
    # list() of a repeated string makes the str objects in C.
    column: list[Text]
    if texts:
        column = list(texts)
    elif raw:
        column = [text_or_bytes(value) for value in raw]
    else:
        return [None] * count
    for index in nulls:
        column[index] = None
    return column


def headers_dict(headers: Iterable[Any]) -> dict[str, Text]:
    """Returns headers by name; the last of a name counts."""
    return {one.name: text_or_bytes(one.value) if one.HasField("value") else None
            for one in headers}


class Frame:
    """The records of one frame, as lists made in C."""

    __slots__ = ("attempts", "count", "first_id", "headers", "keys", "offsets", "proto",
                 "raw_headers", "runs", "timestamps", "values")

    def __init__(self, columns: pb.RecordColumns) -> None:
        self.proto = columns
        self.first_id = columns.first_delivery_id
        self.offsets: list[int] = list(columns.offsets)
        self.count = len(self.offsets)
        self.timestamps: list[int] = list(columns.timestamps_ms)
        self.keys = _column(columns.keys, columns.key_bytes, columns.null_keys, self.count)
        self.values = _column(columns.values, columns.value_bytes, columns.null_values, self.count)
        self.runs = [(run.topic, run.partition, run.count, run.timestamp_type)
                     for run in columns.runs]
        self.raw_headers: dict[int, Any] = {one.index: one.headers for one in columns.headers}
        self.attempts: dict[int, int] = {one.index: one.attempt for one in columns.attempts}


class RawMessage:
    """A record with the methods of confluent_kafka.Message.

    Made for every record, so it holds two references and works when asked. It
    keeps its frame (up to 1 MiB) in memory for as long as it lives.
    """

    __slots__ = ("_frame", "_index")

    def __init__(self, frame: Frame, index: int) -> None:
        self._frame = frame
        self._index = index

    def _run(self) -> tuple[str, int, int, int]:
        end = 0
        for run in self._frame.runs:
            end += run[2]
            if self._index < end:
                return run
        raise IndexError(self._index)

    def topic(self) -> str:
        """Returns the topic."""
        return self._run()[0]

    def partition(self) -> int:
        """Returns the partition."""
        return self._run()[1]

    def offset(self) -> int:
        """Returns the offset."""
        return self._frame.offsets[self._index]

    def key(self) -> bytes | None:
        """Returns the key as it is in Kafka."""
        key = self._frame.keys[self._index]
        return key.encode() if isinstance(key, str) else key

    def value(self) -> bytes | None:
        """Returns the value as it is in Kafka."""
        value = self._frame.values[self._index]
        return value.encode() if isinstance(value, str) else value

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Returns every header in order, or None when there is none."""
        headers = self._frame.raw_headers.get(self._index)
        if not headers:
            return None
        return [(one.name, one.value if one.HasField("value") else None) for one in headers]

    def timestamp(self) -> tuple[int, int]:
        """Returns the timestamp's type (0 none, 1 create, 2 append) and milliseconds."""
        milliseconds = self._frame.timestamps[self._index]
        if milliseconds < 0:
            return NO_TIMESTAMP, milliseconds
        return self._run()[3] or CREATE_TIME, milliseconds

    def error(self) -> None:
        """Returns None: errors end the call or are logged, they are no messages."""
        return None

    def leader_epoch(self) -> int | None:
        """Returns None: the daemon keeps the epoch to itself."""
        return None

    def latency(self) -> float | None:
        """Returns None, as for every consumed message."""
        return None

    def __len__(self) -> int:
        value = self.value()
        return 0 if value is None else len(value)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<message {self.topic()}[{self.partition()}] at {self.offset()}>"
