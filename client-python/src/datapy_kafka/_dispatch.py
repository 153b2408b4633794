"""Calls the handler for each record of a session, and marks how it went.

The loop of `_run` is the hot path: for each record one dict, the handler's
call, a look at what it returned, and one store that acks it.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from itertools import count, islice
from typing import Any

from ._outcome import failure_of, text_of
from ._records import Frame, RawMessage, headers_dict
from ._session import Session, TopicPartition
from .v1 import sidecar_pb2 as pb

Handler = Callable[[dict[str, Any]], Any]


class Dispatcher:
    """The handler's side of one session. Every method runs on its thread."""

    def __init__(self, session: Session, handler: Handler, owner: Any) -> None:
        self.session = session
        self.handler = handler
        self.owner = owner
        self.ending = False
        self._void: dict[TopicPartition, int] = {}
        self._awaited: dict[TopicPartition, int] = {}
        self.max_attempts = 1

    def run(self) -> None:
        """Takes frames until the session drains, ends, or a stop is asked for."""
        session, poll_s = self.session, self.owner.poll_s
        while not self._look_up():
            try:
                columns = session.frames.get(timeout=poll_s)
            except queue.Empty:  # Time to ask a controller that tells nothing.
                continue
            if columns is not None:
                self.dispatch(Frame(columns))

    def dispatch(self, frame: Frame) -> None:
        """Calls the handler for the records of a frame."""
        self.take_settings()
        records = zip(frame.keys, frame.values, frame.offsets, frame.timestamps, count())
        delivery = frame.first_id
        for topic, partition, size, _ in frame.runs:
            while size:
                part = min(size, self.owner.until_summary())
                self._run(frame, topic, partition, islice(records, part), delivery)
                size -= part
                delivery += part

    def take_settings(self) -> None:
        """Takes over what the daemon said at the start."""
        if self.session.started is not None:
            self.max_attempts = self.session.started.max_attempts

    def guards(self, where: TopicPartition) -> bool:
        """Whether records of a partition must pass `_admits`."""
        return (self.session.interrupt or self.owner.must_ask or self.ending
                or where in self._void or where in self._awaited)

    def _run(self, frame: Frame, topic: str, partition: int, records: Any, delivery: int) -> None:
        session, handler, outbox, owner = self.session, self.handler, self.session.outbox, self.owner
        raw_headers, where = frame.raw_headers, (topic, partition)
        first, dropped, failed = delivery, 0, 0
        guarded = self.guards(where)
        outbox.begin_run(delivery)
        try:
            for key, value, offset, timestamp, index in records:
                if guarded or session.interrupt:
                    if not self._admits(where, offset, delivery):
                        guarded = True
                        dropped += 1
                        delivery += 1
                        outbox.begin_run(delivery)
                        continue
                    guarded = owner.must_ask or where in self._void
                message = {
                    "key": key, "value": value, "topic": topic, "partition": partition,
                    "offset": offset, "timestamp": timestamp,
                    "headers": headers_dict(raw_headers[index]) if index in raw_headers else {},
                    "_raw_message": RawMessage(frame, index),
                }
                try:
                    result = handler(message)
                    if result is None or (
                            type(result) is dict and result.get("status") == "success"):
                        outbox.done = delivery
                        delivery += 1
                        if outbox.idle:
                            outbox.wake()
                        continue
                    error = failure_of(result)
                    if error is None:  # A subclass of dict.
                        outbox.done = delivery
                        delivery += 1
                        continue
                except Exception as raised:
                    error = text_of(raised)
                failed += 1
                guarded = True
                self.failed(where, offset, delivery, frame.attempts.get(index, 1), error)
                delivery += 1
                outbox.begin_run(delivery)
        finally:
            processed = delivery - first - dropped
            owner.count(processed, processed - failed)
            if outbox.idle:
                outbox.wake()

    def failed(self, where: TopicPartition, offset: int, delivery: int, attempt: int,
               error: str) -> None:
        """Tells the daemon of a failure and does what its policy makes of it."""
        outbox, owner = self.session.outbox, self.owner
        if owner.should_stop() or self.session.draining:
            outbox.nack(delivery, error, pb.NACK_REASON_STOPPING)
            owner.log.info("%s[%d] at offset %d: given up because of the stop (%s); it comes again",
                           *where, offset, error)
            return
        outbox.nack(delivery, error, pb.NACK_REASON_FAILED)
        retry = owner.on_error == "retry" and attempt < self.max_attempts
        if retry:
            self._awaited[where] = offset
        elif owner.on_error == "stop":
            self.ending = True
        owner.count_failure(where, offset, attempt, error, retry)

    def _look_up(self) -> bool:
        """Takes in what the daemon and the controller said; returns whether to end."""
        session = self.session
        if session.interrupt:
            session.interrupt = False
            while session.voids:
                partitions, through, revocation_id = session.voids.popleft()
                for where in partitions:
                    self._void[where] = max(through, self._void.get(where, 0))
                    self._awaited.pop(where, None)
                if revocation_id:
                    session.outbox.release(revocation_id)
        if session.draining or session.ended.is_set() or self.owner.should_stop():
            self.ending = True
        if not self.ending:
            return False
        # After a failure under "stop" the daemon says that it drains.
        return session.draining or session.ended.is_set() or self.owner.should_stop()

    def _admits(self, where: TopicPartition, offset: int, delivery: int) -> bool:
        """Whether a record may begin."""
        self._look_up()
        if self.ending:
            return False
        through = self._void.get(where)
        if through is not None:
            if delivery <= through:
                return False
            del self._void[where]
        awaited = self._awaited.get(where)
        if awaited is None:
            return True
        if offset != awaited:
            return False
        del self._awaited[where]
        return True
