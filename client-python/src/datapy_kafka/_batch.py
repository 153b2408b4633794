"""A batch of records of one partition, for handlers that take many at once."""

from __future__ import annotations

from typing import Any

from ._records import Frame, Text, headers_dict


class Batch:
    """Consecutive records of one partition, as columns.

    `keys`, `values`, `offsets`, `timestamps` are lists with an entry for each
    record; `headers` is a list of dicts.
    """

    def __init__(self, frame: Frame, topic: str, partition: int, first: int, last: int) -> None:
        self.topic = topic
        self.partition = partition
        self._frame = frame
        self._first = first
        whole = first == 0 and last == frame.count
        self.keys: list[Text] = frame.keys if whole else frame.keys[first:last]
        self.values: list[Text] = frame.values if whole else frame.values[first:last]
        self.offsets: list[int] = frame.offsets if whole else frame.offsets[first:last]
        self.timestamps: list[int] = frame.timestamps if whole else frame.timestamps[first:last]

    @property
    def headers(self) -> list[dict[str, Text]]:
        """The headers of each record; the last of a name counts."""
        raw = self._frame.raw_headers
        if not raw:
            return [{} for _ in self.offsets]
        return [headers_dict(raw.get(index, ()))
                for index in range(self._first, self._first + len(self.offsets))]

    def __len__(self) -> int:
        return len(self.offsets)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Returns the records as the dicts that a handler of single records gets, without _raw_message."""
        return [{"key": key, "value": value, "topic": self.topic, "partition": self.partition,
                 "offset": offset, "timestamp": timestamp, "headers": headers}
                for key, value, offset, timestamp, headers
                in zip(self.keys, self.values, self.offsets, self.timestamps, self.headers)]

    def _columns(self) -> dict[str, list[Any]]:
        return {"key": _one_type(self.keys), "value": _one_type(self.values),
                "offset": self.offsets, "timestamp": self.timestamps}

    def to_polars(self) -> Any:
        """Returns a Polars DataFrame of key, value, offset, timestamp."""
        import polars

        return polars.DataFrame(self._columns())

    def to_arrow(self) -> Any:
        """Returns a pyarrow Table of key, value, offset, timestamp."""
        import pyarrow

        return pyarrow.table(self._columns())

    def to_pandas(self) -> Any:
        """Returns a pandas DataFrame of key, value, offset, timestamp."""
        import pandas

        return pandas.DataFrame(self._columns())

    def __repr__(self) -> str:
        return f"<batch of {len(self)} from {self.topic}[{self.partition}]>"


def _one_type(column: list[Text]) -> list[Any]:
    """A table's column holds text or bytes, not both."""
    if not any(isinstance(value, bytes) for value in column):
        return column
    return [value.encode() if isinstance(value, str) else value for value in column]
