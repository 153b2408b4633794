"""JSON of records: the same for every kind of data that a job produces.

    dates and times      ISO 8601 text, as `isoformat()` writes it
    Decimal, UUID        text, every digit kept
    timedelta            seconds, a number
    NaN, infinities      null, as JSON has none
    bytes                base64 text
    sets, tuples, arrays lists
    Enum                 its value
    keys of objects      text

Compact, UTF-8, non-ASCII characters as they are. What is none of these is an
InvalidArgument that names its type.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import enum
import json
import math
import uuid
from typing import Any

from ._errors import InvalidArgument


def _default(value: Any) -> Any:
    """Returns what the JSON encoder knows in place of what it does not."""
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    for method in ("to_list", "tolist", "item"):  # Series, arrays and scalars, without importing them.
        if callable(convert := getattr(value, method, None)):
            return convert()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise InvalidArgument(f"a value of type {type(value).__name__} cannot be written as JSON; "
                          "turn it into text, a number, a list or a dict first",
                          reason="INVALID_ARGUMENT")


def _plain(value: Any) -> Any:
    """Returns a copy without what the encoder refuses: NaN and keys of other types."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key if isinstance(key, str) else scalar_text(key): _plain(one)
                for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (str, int)):
        return value
    if type(value).__name__ in ("NaTType", "NAType"):  # pandas' nulls.
        return None
    return _plain(_default(value))


_fast = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False,
                         default=_default).encode


def to_json(value: Any) -> str:
    """Returns the value as JSON text."""
    try:
        return _fast(value)
    except (ValueError, TypeError):
        pass
    try:
        return _fast(_plain(value))
    except RecursionError:
        raise InvalidArgument("the data contains itself or is nested too deeply for JSON",
                              reason="INVALID_ARGUMENT") from None


def utf8(text: str) -> bytes:
    """Returns text as UTF-8; lone surrogates, which UTF-8 has not, as U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def scalar_text(value: Any) -> str:
    """Returns a key's text: as in JSON, without quotes."""
    if isinstance(value, str):
        return value
    text = to_json(value)
    return json.loads(text) if text.startswith('"') else text
