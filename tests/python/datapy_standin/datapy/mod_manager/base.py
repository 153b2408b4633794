"""What a mod declares, checked as the framework checks it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict, "object": object}


@dataclass
class ModMetadata:
    type: str
    version: str
    description: str
    category: str
    input_ports: list[str]
    output_ports: list[str]
    globals: list[str]
    packages: list[str]

    def __post_init__(self) -> None:
        assert re.fullmatch(r"\d+\.\d+\.\d+", self.version), self.version
        assert len(self.description) >= 10 and self.category
        for package in self.packages:
            assert re.match(r"^[a-zA-Z0-9_-]+([><=!]+[0-9.]+.*)?$", package), package
            assert " " not in package


@dataclass
class ConfigSchema:
    required: dict[str, dict[str, Any]]
    optional: dict[str, dict[str, Any]]

    def __post_init__(self) -> None:
        for name, one in self.required.items():
            assert set(one) == {"type", "description"} and one["type"] in _TYPES, name
        for name, one in self.optional.items():
            assert set(one) == {"type", "default", "description"}, name
            assert one["default"] is None or isinstance(one["default"], _TYPES[one["type"]]), name
