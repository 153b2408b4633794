"""The frames that a consume session sends, coalesced.

The thread of the handler marks records; gRPC's sending thread iterates. While
one frame is on its way, and for a moment after, what is marked waits and goes
with the next: a lone ack leaves at once, a busy handler's acks travel as a few
ranges and do not take the interpreter from it for each.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Iterator

from .v1 import sidecar_pb2 as pb

_RANGES_A_FRAME = 10_000
_ERROR_BYTES = 4096
# The pause after a frame, unless the window is so small that the daemon would
# wait for acks.
_PAUSE_S, _SMALL_WINDOW = 0.002, 5000
# After a failure that is retried the daemon waits for each ack: so many frames leave without
# a pause, in which what it delivers at once has doubled up to the window.
_EAGER_FRAMES = 16


class Outbox:
    """What is to be sent to the daemon.

    `done` is written by the handler's thread alone, once for each record: the
    last id of the run of records that succeeded, which began after `base`. No
    lock is needed as each name is written by one thread and a write is atomic.
    `request_stop` may be called inside a signal handler.
    """

    def __init__(self, start: pb.Start) -> None:
        self.done = 0
        self.idle = False
        # How many deliveries may be without an ack, once the daemon has said so.
        self.window = 0
        self._run_start = 0
        self._closed_runs: deque[tuple[int, int]] = deque()
        self._nacks: deque[pb.Nack] = deque()
        self._releases: deque[int] = deque()
        self._start: pb.Start | None = start
        self._retries = start.failure_policy.mode == pb.FAILURE_MODE_RETRY
        self._eager = 0
        self._stop: str | None = None
        self._stop_sent = False
        self._half_close = False
        self._cancelled = False
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        # The run that the sender has seen, and how far it has sent it.
        self._sent = 0

    # --- the handler's thread ---

    def begin_run(self, first_id: int) -> None:
        """Starts a run of successes at `first_id` unless the present one goes on there."""
        if first_id != self.done + 1 or not self._run_start:
            if self._run_start and self.done >= self._run_start:
                self._closed_runs.append((self._run_start, self.done))
            # In this order: the sender reads `done` first.
            self._run_start, self.done = first_id, first_id - 1

    def wake(self) -> None:
        """Has the sender look again."""
        self.idle = False
        self._wake.put(None)

    def nack(self, delivery_id: int, error: str, reason: int) -> None:
        """Marks a record that failed."""
        text = error.encode("utf-8", "replace")[:_ERROR_BYTES].decode("utf-8", "ignore")
        self._nacks.append(pb.Nack(delivery_id=delivery_id, error=text, reason=reason))
        if self.idle:
            self.wake()

    def release(self, revocation_id: int) -> None:
        """Says that nothing more comes for the revocation's partitions."""
        self._releases.append(revocation_id)
        if self.idle:
            self.wake()

    def half_close(self) -> None:
        """Ends the frames after those that wait."""
        self._half_close = True
        self._wake.put(None)

    # --- any thread ---

    def request_stop(self, reason: str) -> None:
        """Asks the daemon for a clean end, behind what is marked already."""
        if self._stop is None:
            self._stop = reason
            self._wake.put(None)

    def cancel(self) -> None:
        """Ends the frames at once."""
        self._cancelled = True
        self._wake.put(None)

    # --- gRPC's sending thread ---

    def __iter__(self) -> Iterator[pb.ConsumeRequest]:
        if self._start is not None:
            start, self._start = self._start, None
            yield pb.ConsumeRequest(start=start)
        while not self._cancelled:
            frames = self._take()
            if frames:
                yield from frames
                if self._eager:
                    self._eager -= 1
                elif self.window >= _SMALL_WINDOW:
                    time.sleep(_PAUSE_S)
                continue
            if self._half_close:
                # What was marked before the half-close is visible by now.
                yield from self._take()
                return
            self.idle = True
            if self._has_work():
                self.idle = False
                continue
            self._wake.get()
            self.idle = False

    def _has_work(self) -> bool:
        return bool(self.done > self._sent and self.done >= self._run_start > 0
                    or self._closed_runs or self._nacks or self._releases
                    or self._half_close or self._cancelled
                    or (self._stop is not None and not self._stop_sent))

    def _take(self) -> list[pb.ConsumeRequest]:
        frames: list[pb.ConsumeRequest] = []
        # Read first: what was marked before the stop goes ahead of it, since the
        # daemon resolves no failure that reaches it after.
        stop = self._stop
        # Releases were put in after the acks they follow: count them first.
        releases = [self._releases.popleft() for _ in range(len(self._releases))]
        ack = pb.Ack()
        for nack in [self._nacks.popleft() for _ in range(len(self._nacks))]:
            ack.nacks.append(nack)
            self._eager = _EAGER_FRAMES if self._retries else 0
        done, first = self.done, self._run_start
        while self._closed_runs and len(ack.ranges) < _RANGES_A_FRAME:
            self._add_range(ack, *self._closed_runs.popleft())
        if not self._closed_runs and first and done >= first:
            self._add_range(ack, first, done)
        if ack.ranges or ack.nacks:
            frames.append(pb.ConsumeRequest(ack=ack))
        if stop is not None and not self._stop_sent and not self._closed_runs:
            self._stop_sent = True
            frames.append(pb.ConsumeRequest(stop=pb.Stop(reason=stop)))
        if self._closed_runs:
            self._releases.extendleft(reversed(releases))
        else:
            frames.extend(pb.ConsumeRequest(release=pb.Release(revocation_id=one))
                          for one in releases)
        return frames

    def _add_range(self, ack: pb.Ack, first: int, last: int) -> None:
        first = max(first, self._sent + 1)
        if first <= last:
            ack.ranges.add(first_id=first, last_id=last if last > first else 0)
            self._sent = last
