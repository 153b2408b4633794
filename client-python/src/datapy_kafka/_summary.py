"""Counts of a consume call, and the lines that tell of them."""

from __future__ import annotations

import time

from ._address import Stub
from ._grpc import grpc
from ._options import ConsumeOptions
from ._results import ConsumeResult
from ._session import Log, TopicPartition
from .v1 import sidecar_pb2 as pb

_FAILURE_LINES_S = 1.0
_LAG_EVERY_S = 5.0
_LAG_TIMEOUT_S = 0.5
_NO_SUMMARY = 1 << 62


class Summary:
    """Keeps a ConsumeResult up to date and logs every N records."""

    def __init__(self, stub: Stub, result: ConsumeResult, options: ConsumeOptions, log: Log) -> None:
        self._stub = stub
        self._result = result
        self._options = options
        self._log = log
        self._interval = options.log_summary_interval or _NO_SUMMARY
        self._since = time.monotonic()
        self._at = 0
        self._lag: int | None = None
        self._lag_asked = 0.0
        self._failure_said = 0.0
        self._failures_unsaid = 0

    def until(self) -> int:
        """Returns how many records there are until the next summary."""
        return self._interval - self._result.processed % self._interval

    def count(self, processed: int, succeeded: int) -> None:
        """Counts records that the handler has had."""
        result = self._result
        before = result.processed // self._interval
        result.processed += processed
        result.succeeded += succeeded
        if result.processed // self._interval != before:
            self._say()

    def count_failure(self, where: TopicPartition, offset: int, attempt: int, error: str,
                      retry: bool) -> None:
        """Counts a failed call of the handler; logs it, at most one a second."""
        result = self._result
        result.failed += 1
        if retry:
            result.retried += 1
        elif self._options.on_error != "stop":
            result.skipped += 1
        now = time.monotonic()
        if now - self._failure_said < _FAILURE_LINES_S:
            self._failures_unsaid += 1
            return
        more = f" ({self._failures_unsaid} more failures since the last such line)" if self._failures_unsaid else ""
        self._failure_said, self._failures_unsaid = now, 0
        if retry:
            self._log.warning("%s[%d] at offset %d: attempt %d failed, it comes again: %s%s",
                              *where, offset, attempt, error, more)
        else:
            self._log.error("%s[%d] at offset %d: processing failed, attempt %d, %s: %s%s", *where,
                            offset, attempt,
                            "the consumer stops" if self._options.on_error == "stop" else "skipped", error, more)

    def log_end(self) -> None:
        """Logs the totals."""
        result = self._result
        self._log.info("Ended (%s%s): processed %d, succeeded %d, errors %d, retries %d, skipped %d, in %.1f s",
                       result.stop_reason or "interrupted", "" if result.clean else ", not clean",
                       result.processed, result.succeeded, result.failed, result.retried,
                       result.skipped, result.duration_s)

    def _say(self) -> None:
        now, result = time.monotonic(), self._result
        rate = (result.processed - self._at) / max(now - self._since, 1e-6)
        self._since, self._at = now, result.processed
        if now - self._lag_asked >= _LAG_EVERY_S:
            self._lag_asked = now
            self._lag = self._ask_lag()
        lag = "" if self._lag is None else f", Lag: {self._lag}"
        self._log.info("Processed %d messages, Errors: %d, Retries: %d, Rate: %.0f msg/s%s",
                       result.processed, result.failed, result.retried, rate, lag)

    def _ask_lag(self) -> int | None:
        try:
            status = self._stub.get_status(pb.GetStatusRequest(), timeout=_LAG_TIMEOUT_S)
        except grpc.RpcError:
            return None
        lags = [partition.lag for session in status.sessions
                if session.group_id == self._options.group_id
                for partition in session.partitions]
        return sum(lag for lag in lags if lag >= 0) if any(lag >= 0 for lag in lags) else None
