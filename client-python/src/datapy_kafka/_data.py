"""From what a job hands over to columns of keys, values and headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._errors import InvalidArgument
from ._json import scalar_text, to_json, utf8
from ._tables import Lines, is_polars_json, json_rows, pandas_cells, polars_keys, polars_rows, table_of

Cell = str | bytes | None
HeaderList = list[tuple[str, bytes | None]]


@dataclass
class Columns:
    """Records to produce; every list that is not empty has an entry for each."""

    values: list[Cell] | Lines = field(default_factory=list)
    keys: list[Cell] = field(default_factory=list)
    headers: list[HeaderList] = field(default_factory=list)


def header_list(headers: Mapping[str, Any] | Sequence[tuple[str, Any]] | None) -> HeaderList:
    """Returns headers as the wire has them; a dict or a list of pairs comes in."""
    if headers is None:
        return []
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(str(name), None if value is None else
             bytes(value) if isinstance(value, (bytes, bytearray)) else utf8(scalar_text(value)))
            for name, value in pairs]


def key_cell(key: Any) -> Cell:
    """Returns a key: text and bytes as they are, else its JSON text; None and NaN are null."""
    if key is None or isinstance(key, (str, bytes)):
        return key
    if type(key) is int:
        return str(key)
    if isinstance(key, (bytearray, memoryview)):
        return bytes(key)
    text = scalar_text(key)
    return None if text == "null" else text


def to_rows(data: Any) -> list[Any]:
    """Returns the data as a list: of dicts, or of what each record's value is to be."""
    if hasattr(data, "collect") and hasattr(data, "lazy"):  # A Polars LazyFrame.
        data = data.collect()
    if data is None or isinstance(data, (dict, str, bytes, bytearray)):
        return [data]
    if isinstance(data, (list, tuple)):
        return list(data)
    module = type(data).__module__.partition(".")[0]
    if module == "pandas" and hasattr(data, "to_dict"):
        return _pandas_rows(data)
    for method in ("to_dicts", "to_pylist"):  # A Polars DataFrame; an Arrow table or batch.
        if callable(rows := getattr(data, method, None)):
            return list(rows())
    for method in ("to_arrow_table", "fetch_arrow_table", "arrow"):  # A DuckDB relation.
        if callable(arrow := getattr(data, method, None)):
            table = arrow()
            return list((table.read_all() if hasattr(table, "read_all") else table).to_pylist())
    if isinstance(data, Mapping):
        return [dict(data)]
    raise InvalidArgument(
        f"data of type {type(data).__name__} cannot be produced; give a dict, a list of dicts, str, bytes, "
        "a Polars, pandas or Arrow table, or a DuckDB relation", reason="INVALID_ARGUMENT")


def _pandas_rows(frame: Any) -> list[Any]:
    if hasattr(frame, "items") and not hasattr(frame, "columns"):  # A Series: one column.
        return list(frame)
    names = [str(name) for name in frame.columns]
    columns = [pandas_cells(series) for _, series in frame.items()]
    return [dict(zip(names, row)) for row in zip(*columns)] if columns else []


def _value(row: Any, value_format: str) -> Cell:
    if row is None:
        return None
    if value_format == "json":
        return to_json(row)
    if isinstance(row, Mapping) and len(row) == 1:
        (row,) = row.values()
        if row is None:
            return None
    if isinstance(row, (bytearray, memoryview)):
        row = bytes(row)
    if isinstance(row, bytes):
        if value_format == "bytes":
            return row
        try:
            return row.decode()
        except UnicodeDecodeError:
            raise InvalidArgument("a value of bytes is no UTF-8; give value_format='bytes'",
                                  reason="INVALID_ARGUMENT") from None
    return scalar_text(row)


def to_pieces(data: Any, *, value_format: str, key_column: str | None, key_value: Any,
              headers_column: str | None, rows: int) -> tuple[int, Iterator[Columns]]:
    """Returns how many records the data is, and their columns by the rules of `Client.produce`.

    What could be refused is refused here. Large Polars frames come in pieces of
    `rows` records, so that one can be written while another is on its way.
    """
    if hasattr(data, "collect") and hasattr(data, "lazy"):
        data = data.collect()
    if value_format == "json" and headers_column is None and is_polars_json(data):
        _require(key_column, data.columns)
        share = -(-data.height // max(1, -(-data.height // rows)))  # pieces of equal size, no small one to wait for
        frames = (data.slice(first, share) for first in range(0, data.height, share or 1))
        return data.height, (_keyed(_polars_columns(one, key_column), key_value) for one in frames)
    columns = None
    if value_format == "json" and (table := table_of(data)) is not None:
        columns = _table_columns(*table, key_column, headers_column)
    if columns is None:
        columns = _row_columns(to_rows(data), value_format, key_column, headers_column)
    return len(columns.values), iter([_keyed(columns, key_value)])


def _keyed(columns: Columns, key_value: Any) -> Columns:
    if key_value is not None:
        columns.keys = [key_cell(key_value)] * len(columns.values)
    return columns


def _require(column: str | None, names: list[str], option: str = "key_column") -> None:
    if column is not None and column not in names:
        raise InvalidArgument(f"{option} {column!r} is not one of the columns {names}", reason="INVALID_ARGUMENT")


def _polars_columns(frame: Any, key_column: str | None) -> Columns:
    result = Columns(polars_rows(frame))
    if key_column is not None:
        keys, are_cells = polars_keys(frame[key_column])
        result.keys = keys if are_cells else [key_cell(key) for key in keys]
    return result


def _table_columns(names: list[str], cells: list[list[Any]], key_column: str | None,
                   headers_column: str | None) -> Columns:
    _require(key_column, names)
    _require(headers_column, names, "headers_column")
    result = Columns()
    if key_column is not None:
        result.keys = [key_cell(key) for key in cells[names.index(key_column)]]
    if headers_column is not None:
        at = names.index(headers_column)
        result.headers = [header_list(one) for one in cells[at]]
        names, cells = names[:at] + names[at + 1:], cells[:at] + cells[at + 1:]
    result.values = json_rows((names, cells)) if names else ["{}"] * len(result.headers)
    return result


def _row_columns(rows: list[Any], value_format: str, key_column: str | None,
                 headers_column: str | None) -> Columns:
    result = Columns()
    for name, option in ((key_column, "key_column"), (headers_column, "headers_column")):
        for index, row in enumerate(rows if name is not None else ()):
            if not isinstance(row, Mapping) or name not in row:
                raise InvalidArgument(f"{option} {name!r} is not in record {index} of the data",
                                      reason="INVALID_ARGUMENT")
    if key_column is not None:
        result.keys = [key_cell(row[key_column]) for row in rows]
    if headers_column is not None:
        result.headers = [header_list(row[headers_column]) for row in rows]
        rows = [{name: one for name, one in row.items() if name != headers_column} for row in rows]
    result.values = [_value(row, value_format) for row in rows]
    return result
