"""The screen of `datapy-kafka status`."""

from __future__ import annotations

import time

from .v1 import sidecar_pb2 as pb

_BOLD, _DIM, _RED, _GREEN, _YELLOW, _PLAIN = (
    "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m")
_PARTITIONS_SHOWN = 30


def _span(seconds: float) -> str:
    seconds = max(seconds, 0.0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def _known(number: int) -> str:
    return f"{number:,}" if number >= 0 else "?"


class _Screen:
    def __init__(self, color: bool) -> None:
        self.lines: list[str] = []
        self._color = color

    def paint(self, text: str, style: str) -> str:
        return f"{style}{text}{_PLAIN}" if self._color else text

    def add(self, text: str = "") -> None:
        self.lines.append(text)


def render(status: pb.GetStatusResponse, address: str, *, color: bool = False,
           now: float | None = None) -> str:
    """Returns the status as text for people."""
    now = time.time() if now is None else now
    screen = _Screen(color)
    state = screen.paint("draining", _YELLOW) if status.draining else screen.paint("serving", _GREEN)
    up = f", up {_span(now - status.started_at.ToSeconds())}" if status.HasField("started_at") else ""
    screen.add(f"{screen.paint('datapy-kafka-sidecar ' + status.version, _BOLD)}  {state}{up}  "
               f"librdkafka {status.librdkafka_version}")
    screen.add(f"{address}   connections: {', '.join(status.connection_names) or 'none configured'}"
               f"   sessions ended: {status.sessions_ended:,}")
    if not status.sessions:
        screen.add()
        screen.add("No job consumes.")
    for session in status.sessions:
        _add_session(screen, session, now)
    for producer in status.producers:
        failed = f"{producer.failed:,} failed"
        screen.add()
        screen.add(f"{screen.paint('producer', _BOLD)}  {producer.connection}  {producer.delivered:,} delivered "
                   f"({_size(producer.delivered_bytes)})  {producer.queued_records:,} queued  "
                   + (screen.paint(failed, _RED) if producer.failed else failed))
    return "\n".join(screen.lines)


def _add_session(screen: _Screen, session: pb.SessionStatus, now: float) -> None:
    state = pb.SessionState.Name(session.state).removeprefix("SESSION_STATE_").lower()
    mode = pb.FailureMode.Name(session.failure_mode).removeprefix("FAILURE_MODE_").lower()
    totals = session.totals
    screen.add()
    screen.add(f"{screen.paint(session.group_id, _BOLD)}  {state}  {session.client_name} "
               f"({session.client_version})  on {session.connection}  on_error={mode}  "
               f"for {_span(now - session.started_at.ToSeconds())}  {screen.paint(session.session_id, _DIM)}")
    lags = [one.lag for one in session.partitions if one.lag >= 0]
    nacked = f"{totals.nacked:,} failed"
    screen.add(f"  {session.acked_per_second:,.0f} records/s   {totals.acked:,} acked   "
               f"{screen.paint(nacked, _RED) if totals.nacked else nacked}   {totals.retried:,} retried   "
               f"{totals.skipped:,} skipped   {totals.commits:,} commits   lag {_known(sum(lags) if lags else -1)}")
    oldest = session.oldest_unacked
    waits = ("" if not session.HasField("oldest_unacked") else
             f"   oldest: {oldest.topic}[{oldest.partition}] offset {oldest.offset:,}, attempt {oldest.attempt}, "
             f"{_span(oldest.age.ToTimedelta().total_seconds())}")
    screen.add(f"  in flight {session.in_flight_records:,} of {session.max_in_flight_records:,} "
               f"({_size(session.in_flight_bytes)} of {_size(session.max_in_flight_bytes)}){waits}")
    if session.partitions:
        width = max(9, *(len(f"{one.topic}[{one.partition}]") for one in session.partitions))
        head = f"  {'partition':<{width}} {'committed':>14} {'position':>14} {'end':>14} {'lag':>10} {'in flight':>10}"
        screen.add(screen.paint(head, _DIM))
    for one in session.partitions[:_PARTITIONS_SHOWN]:
        name = f"{one.topic}[{one.partition}]"
        screen.add(f"  {name:<{width}} {_known(one.committed):>14} {_known(one.position):>14} "
                   f"{_known(one.high_watermark):>14} {_known(one.lag):>10} {one.in_flight_records:>10,}"
                   + (screen.paint("  retrying", _YELLOW) if one.retrying else ""))
    if len(session.partitions) > _PARTITIONS_SHOWN:
        screen.add(f"  and {len(session.partitions) - _PARTITIONS_SHOWN} more partitions")
    for error in session.recent_errors[:3]:
        reason = pb.ErrorReason.Name(error.reason).removeprefix("ERROR_REASON_")
        screen.add(f"  {screen.paint(reason, _RED)}  {_span(now - error.time.ToSeconds())} ago: {error.message}")
