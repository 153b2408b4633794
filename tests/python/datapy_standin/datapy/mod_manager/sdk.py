"""run_mod, in the framework's order: look-up, substitution, defaults, run."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

from .logger import setup_console_logging

_PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")
_context: dict[str, Any] = {}
_REGISTRY = Path(__file__).parent.parent / "mod_registry.json"


def setup_logging(level: str = "INFO", name: str | None = None) -> None:
    setup_console_logging(level)


def setup_context(path: str) -> None:
    _context.clear()
    _context.update(json.loads(Path(path).read_text()))


def clear_context() -> None:
    _context.clear()


def _look_up(name: str) -> Any:
    value: Any = _context
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise KeyError(name)
        value = value[part]
    return value


def _substitute(value: Any) -> Any:
    if isinstance(value, str):
        whole = _PLACEHOLDER.fullmatch(value)
        if whole:
            return _look_up(whole.group(1))
        return _PLACEHOLDER.sub(lambda hit: str(_look_up(hit.group(1))), value)
    if isinstance(value, dict):
        return {key: _substitute(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_substitute(one) for one in value]
    return value


def _error(code: int, message: str) -> dict[str, Any]:
    return {"status": "error", "exit_code": code, "metrics": {}, "artifacts": {}, "globals": {}, "warnings": [],
            "errors": [{"message": message, "error_code": code}], "logs": {}}


def run_mod(mod_type: str, params: dict[str, Any], mod_name: str | None = None) -> dict[str, Any]:
    mods = json.loads(_REGISTRY.read_text())["mods"]
    entry = mods.get(mod_type.strip())
    if entry is None:
        return _error(20, f"no mod is registered as {mod_type}")
    if _context:  # Without one the placeholders stay as they are.
        try:
            params = _substitute(params)
        except KeyError as error:
            return _error(20, f"the context has no {error}")
    schema, params = entry["config_schema"], dict(params)
    missing = [name for name in schema["required"] if name not in params]
    if missing:
        return _error(20, f"missing required parameters: {missing}")
    for name, one in schema["optional"].items():
        params.setdefault(name, one["default"])
    params |= {"_mod_name": mod_name or f"{mod_type}_1", "_mod_type": mod_type}
    try:
        return importlib.import_module(entry["module_path"]).run(params)
    except Exception as error:
        return _error(30, str(error))
