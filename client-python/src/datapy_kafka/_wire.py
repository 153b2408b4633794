"""From columns to the requests that carry them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._data import Cell, Columns
from ._json import utf8
from .v1 import sidecar_pb2 as pb

MAX_ROWS, MAX_BYTES = 16_384, 4 << 20


def header(header: tuple[str, bytes | None]) -> pb.Header:
    """Returns a header as a message."""
    return pb.Header(name=header[0], value=header[1])


def fill(cells: list[Cell], texts: Any, raw: Any, nulls: Any) -> None:
    """Writes a column: as text when every cell is, else as bytes."""
    if None in cells:
        nulls.extend(index for index, cell in enumerate(cells) if cell is None)
        cells = ["" if cell is None else cell for cell in cells]
    try:
        texts.extend(cells)
    except (TypeError, ValueError):  # Bytes among them, or lone surrogates.
        del texts[:]
        raw.extend(utf8(cell) if isinstance(cell, str) else cell for cell in cells)


def chunks(columns: Columns) -> Iterator[tuple[int, int]]:
    """Yields the bounds of requests of at most MAX_ROWS records and about MAX_BYTES."""
    count = len(columns.values)
    if 0 < count <= MAX_ROWS and sum(map(len, filter(None, columns.values))) <= MAX_BYTES:
        yield 0, count
        return
    first, size = 0, 0
    for index, value in enumerate(columns.values):
        # Characters, not bytes: the daemon takes far larger requests.
        length = len(value) if value is not None else 0
        if index > first and (index - first >= MAX_ROWS or size + length > MAX_BYTES):
            yield first, index
            first, size = index, 0
        size += length
    if first < len(columns.values):
        yield first, len(columns.values)
