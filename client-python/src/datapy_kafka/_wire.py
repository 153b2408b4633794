"""From columns to the requests that carry them."""

from __future__ import annotations

from collections.abc import Iterator

from ._data import Cell, Columns
from ._json import utf8
from ._tables import Lines
from .v1 import sidecar_pb2 as pb

MAX_ROWS, MAX_BYTES = 16_384, 4 << 20

# One text of lines costs less than many texts, both here and in the daemon.
_LINES_FROM = 16


def header(header: tuple[str, bytes | None]) -> pb.Header:
    """Returns a header as a message."""
    return pb.Header(name=header[0], value=header[1])


def fill(wire: pb.ProduceColumns, name: str, cells: list[Cell] | Lines, may_be_lines: bool = True) -> None:
    """Writes the column of "value" or "key": as text when every cell is, else as bytes."""
    if isinstance(cells, Lines):
        setattr(wire, f"{name}_lines", cells.text)
        return
    if None in cells:
        getattr(wire, f"null_{name}s").extend(index for index, cell in enumerate(cells) if cell is None)
        cells = ["" if cell is None else cell for cell in cells]
    try:
        text = "\n".join(cells) + "\n" if may_be_lines and len(cells) >= _LINES_FROM else ""  # type: ignore[arg-type]
        if text and text.count("\n") == len(cells):
            setattr(wire, f"{name}_lines", text)
        else:
            getattr(wire, f"{name}s").extend(cells)
    except (TypeError, ValueError):  # Bytes among them, or lone surrogates.
        wire.ClearField(f"{name}s")
        getattr(wire, f"{name}_bytes").extend(utf8(cell) if isinstance(cell, str) else cell for cell in cells)


def chunks(columns: Columns) -> Iterator[tuple[int, int]]:
    """Yields the bounds of requests of at most MAX_ROWS records and about MAX_BYTES."""
    count = len(columns.values)
    if isinstance(columns.values, Lines):
        if len(columns.values.text) <= MAX_BYTES:
            yield 0, count
            return
        columns.values = list(columns.values)
    elif 0 < count <= MAX_ROWS and sum(map(len, filter(None, columns.values))) <= MAX_BYTES:
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
