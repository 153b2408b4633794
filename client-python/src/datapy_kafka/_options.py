"""Checks what callers give, all of it at once, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._errors import InvalidArgument
from .v1 import sidecar_pb2 as pb

RESETS = {"earliest": pb.OFFSET_RESET_EARLIEST, "latest": pb.OFFSET_RESET_LATEST,
          "none": pb.OFFSET_RESET_NONE}
MODES = {"continue": pb.FAILURE_MODE_CONTINUE, "retry": pb.FAILURE_MODE_RETRY,
         "stop": pb.FAILURE_MODE_STOP}
MAX_FRAME_BYTES = 256 << 20


def is_number(value: Any, low: float, high: float = float("inf")) -> bool:
    """Whether it is a number, and no bool, within the bounds."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def is_integer(value: Any, low: int, high: float = float("inf")) -> bool:
    """Whether it is an int, and no bool, within the bounds."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def one_of(accepted: Sequence[str]) -> str:
    """Lists accepted values for people."""
    return "one of " + ", ".join(repr(value) for value in accepted)


def show(value: Any) -> str:
    """A value in an error message: short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


@dataclass(frozen=True)
class ConsumeOptions:
    """The options of a consume call, as `Client.consume` documents them."""

    topics: Sequence[str]
    group_id: str
    handler: Callable[[Any], Any]
    auto_offset_reset: str = "earliest"
    on_error: str = "continue"
    max_retries: int = 3
    retry_backoff_ms: Sequence[int] = (100, 200, 400)
    controller: Any = None
    shutdown_drain_timeout_s: float = 30.0
    ack_timeout_s: float | None = None
    max_in_flight: int | None = None
    max_in_flight_bytes: int | None = None
    log_summary_interval: int = 1000
    log_message_details: bool = False
    batch: bool = False
    properties: Mapping[str, Any] | None = None

    def problems(self) -> list[str]:
        """Returns one sentence for each option that is wrong."""
        found = []

        def check(right: bool, name: str, expected: str) -> None:
            if not right:
                found.append(f"{name} must be {expected}, not {show(getattr(self, name))}")

        topics = self.topics
        check(isinstance(topics, (list, tuple)) and len(topics) > 0
              and all(isinstance(one, str) and one for one in topics),
              "topics", "a list of at least one topic name or ^regular expression")
        check(isinstance(self.group_id, str) and bool(self.group_id), "group_id", "a text that is not empty")
        check(callable(self.handler), "handler", "callable with one message")
        check(self.auto_offset_reset in RESETS, "auto_offset_reset", one_of(tuple(RESETS)))
        check(self.on_error in MODES, "on_error", one_of(tuple(MODES)))
        check(is_integer(self.max_retries, 0, 1000), "max_retries", "an integer from 0 to 1000")
        backoff = self.retry_backoff_ms
        check(isinstance(backoff, (list, tuple)) and 0 < len(backoff) <= 100
              and all(is_integer(one, 0, 3_600_000) for one in backoff),
              "retry_backoff_ms", "a list of 1 to 100 integers from 0 to 3600000")
        check(self.controller is None or callable(getattr(self.controller, "should_stop", None)),
              "controller", "a StreamController or None")
        check(is_number(self.shutdown_drain_timeout_s, 0), "shutdown_drain_timeout_s", "seconds from 0")
        check(self.ack_timeout_s is None or is_number(self.ack_timeout_s, 0.001),
              "ack_timeout_s", "seconds above 0, or None")
        for name in ("max_in_flight", "max_in_flight_bytes"):
            check(getattr(self, name) is None or is_integer(getattr(self, name), 1), name,
                  "an integer from 1, or None")
        check(is_integer(self.log_summary_interval, 0), "log_summary_interval",
              "an integer from 1, or 0 for no summaries")
        check(isinstance(self.log_message_details, bool), "log_message_details", "True or False")
        check(self.properties is None or isinstance(self.properties, Mapping), "properties",
              "a dict of librdkafka properties, or None")
        return found

    def validate(self) -> None:
        """Raises InvalidArgument that names every wrong option."""
        found = self.problems()
        if found:
            raise InvalidArgument("; ".join(found), reason="INVALID_ARGUMENT")

    def to_start(self, connection: pb.Connection, properties: Mapping[str, str],
                 client_name: str, client_version: str) -> pb.Start:
        """Returns the frame that opens a session with these options."""
        start = pb.Start(
            connection=connection, topics=self.topics, group_id=self.group_id,
            auto_offset_reset=RESETS[self.auto_offset_reset],
            commit_strategy=pb.COMMIT_STRATEGY_PER_MESSAGE,
            record_layout=pb.RECORD_LAYOUT_COLUMNS,
            max_frame_bytes=MAX_FRAME_BYTES, properties=properties,
            client_name=client_name, client_version=client_version,
        )
        start.failure_policy.mode = MODES[self.on_error]
        start.failure_policy.max_retries = self.max_retries
        start.failure_policy.backoff_ms.extend(self.retry_backoff_ms)
        start.drain_timeout.FromMilliseconds(int(self.shutdown_drain_timeout_s * 1000))
        if self.ack_timeout_s is not None:
            start.ack_timeout.FromMilliseconds(max(1, int(self.ack_timeout_s * 1000)))
        if self.max_in_flight is not None:
            start.max_in_flight_records = min(self.max_in_flight, (1 << 32) - 1)
        if self.max_in_flight_bytes is not None:
            start.max_in_flight_bytes = self.max_in_flight_bytes
        return start
