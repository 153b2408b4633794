"""What a mod returns."""

from __future__ import annotations

from typing import Any


class ModResult:
    def __init__(self, mod_type: str, mod_name: str) -> None:
        self.mod_type, self.mod_name = mod_type, mod_name
        self.metrics: dict[str, Any] = {}
        self.artifacts: dict[str, Any] = {}
        self.globals: dict[str, Any] = {}
        self.warnings: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []

    def add_error(self, message: str, error_code: int = 30) -> None:
        if not message:
            raise ValueError("an error needs a message")
        self.errors.append({"message": message, "error_code": error_code, "source": self.mod_name})

    def add_warning(self, message: str, warning_code: int = 10) -> None:
        if not message:
            raise ValueError("a warning needs a message")
        self.warnings.append({"message": message, "warning_code": warning_code, "source": self.mod_name})

    def add_metric(self, key: str, value: Any) -> None:
        self.metrics[key] = value

    def add_artifact(self, key: str, value: Any) -> None:
        self.artifacts[key] = value

    def add_global(self, key: str, value: Any) -> None:
        self.globals[key] = value

    def success(self) -> dict[str, Any]:
        return self._dict("success", 0)

    def warning(self) -> dict[str, Any]:
        return self._dict("warning", 10)

    def error(self, exit_code: int = 30) -> dict[str, Any]:
        return self._dict("error", exit_code)

    def _dict(self, status: str, exit_code: int) -> dict[str, Any]:
        return {"status": status, "exit_code": exit_code, "metrics": self.metrics, "artifacts": self.artifacts,
                "globals": self.globals, "warnings": self.warnings, "errors": self.errors,
                "logs": {"run_id": f"{self.mod_type}_1", "mod_type": self.mod_type, "mod_name": self.mod_name}}
