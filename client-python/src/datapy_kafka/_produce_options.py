"""Checks the options of produce calls, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._options import is_number, one_of, show

VALUE_FORMATS = ("json", "string", "bytes")
ON_SEND_ERROR = ("raise", "log")


@dataclass(frozen=True)
class ProduceOptions:
    """The options of produce calls, as `Client.produce` documents them."""

    key_column: str | None = None
    key_value: Any = None
    value_format: str = "json"
    headers: Any = None
    headers_column: str | None = None
    flush: bool = True
    flush_timeout_s: float = 10.0
    on_send_error: str = "raise"
    properties: Mapping[str, Any] | None = None

    def problems(self) -> list[str]:
        """Returns one sentence for each option that is wrong."""
        found = []
        if self.value_format not in VALUE_FORMATS:
            found.append(f"value_format must be {one_of(VALUE_FORMATS)}, not {show(self.value_format)}")
        if self.on_send_error not in ON_SEND_ERROR:
            found.append(f"on_send_error must be {one_of(ON_SEND_ERROR)}, not {show(self.on_send_error)}")
        if not is_number(self.flush_timeout_s, 0.001, 3600):
            found.append(f"flush_timeout_s must be seconds above 0, not {show(self.flush_timeout_s)}")
        if self.key_column is not None and self.key_value is not None:
            found.append("key_column and key_value exclude each other; give one of them")
        if self.headers is not None and not isinstance(self.headers, (Mapping, list, tuple)):
            found.append(f"headers must be a dict or a list of (name, value), not {show(self.headers)}")
        if self.properties is not None and not isinstance(self.properties, Mapping):
            found.append(f"properties must be a dict, not {show(self.properties)}")
        return found
