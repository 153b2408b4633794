"""What a handler returned or raised, as success or the reason of a failure."""

from __future__ import annotations

from typing import Any


def failure_of(result: Any) -> str | None:
    """Returns why what a handler returned is a failure, or None for success."""
    if result is None:
        return None
    if not isinstance(result, dict):
        return (f"the handler returned {type(result).__name__}, not None or a dict "
                "with 'status': 'success' or 'error'")
    status = result.get("status")
    if status == "success":
        return None
    if status == "error":
        return str(result.get("error") or "the handler returned status 'error' and no 'error' text")
    if "status" not in result:
        return "the handler returned a dict without 'status': 'success' or 'error'"
    return f"the handler returned the status {status!r:.100}, not 'success' or 'error'"


def text_of(error: BaseException) -> str:
    """Returns an exception as one line; its own text may be empty."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def failures_of(result: Any, size: int) -> dict[int, str] | str:
    """Returns the failed indexes of a batch with their reasons, or why all of it failed."""
    failed = result.get("failed") if isinstance(result, dict) else None
    if failed is None:
        return failure_of(result) or {}
    if not isinstance(failed, dict):
        failed = {index: str(result.get("error") or "the handler named it as failed") for index in failed}
    wrong = [index for index in failed if not isinstance(index, int) or not 0 <= index < size]
    if wrong:
        return f"the handler named indexes as failed that the batch of {size} has not: {wrong[:5]}"
    return {index: str(failed[index]) for index in sorted(failed)}
