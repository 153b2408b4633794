"""A consume call: sessions with the daemon, one after the other, until it ends."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from ._address import Stub
from ._batch_dispatch import BatchDispatcher
from ._connection import KafkaConnectionConfig, text_properties
from ._controller import StreamController
from ._dispatch import Dispatcher
from ._errors import (
    KafkaSidecarError,
    ProcessingStopped,
    SidecarUnavailable,
    is_passing,
)
from ._options import ConsumeOptions
from ._results import ConsumeResult
from ._session import Log, Session
from ._summary import Summary
from ._version import CLIENT_VERSION, client_name
from .v1 import sidecar_pb2 as pb

_FIRST_WAIT_S, _LONGEST_WAIT_S, _SAY_AGAIN_S = 0.1, 5.0, 60.0
# For the daemon's last word after its drain time-out has passed.
_CLOSE_SLACK_S = 5.0
# How soon a controller that cannot tell of a stop is asked again.
_POLL_S = 0.1


class Consumer:
    """Runs one consume call on the thread that called it."""

    def __init__(self, stub: Stub, connection: KafkaConnectionConfig, options: ConsumeOptions,
                 connect_timeout_s: float | None, log: Log) -> None:
        self._stub = stub
        self._options = options
        self._connect_timeout_s = connect_timeout_s
        self.log = log
        self.on_error = options.on_error
        self._own_controller = options.controller is None
        self._controller: Any = options.controller or StreamController()
        self.must_ask = not hasattr(self._controller, "add_listener")
        self.poll_s = _POLL_S if self.must_ask else None
        self.should_stop = self._controller.should_stop
        self._start = options.to_start(
            connection.to_proto(), text_properties(options.properties), client_name(), CLIENT_VERSION)
        self._handler = self._with_details(options) if options.log_message_details else options.handler
        self._session: Session | None = None
        self._stopping: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.result = ConsumeResult()
        self.summary = Summary(stub, self.result, options, log)
        self._last_clean = True  # The end of the last session that began.
        self.until_summary = self.summary.until
        self.count = self.summary.count
        self.count_failure = self.summary.count_failure

    def run(self) -> ConsumeResult:
        """Consumes until a stop, a policy's end or an error."""
        began = time.monotonic()
        if self._own_controller and not self._controller.handles_signals:
            self.log.info("Not in the main thread: SIGTERM and SIGINT do not end this consumer; "
                          "give it a StreamController made in the main thread")
        if not self.must_ask:
            self._controller.add_listener(self._on_stop)
        try:
            self._run_sessions()
        except KafkaSidecarError as error:
            self.result.error, self.result.stop_reason = error, "error"
            error.result = self.result
            raise
        finally:
            self.result.duration_s = time.monotonic() - began
            if not self.must_ask:
                self._controller.remove_listener(self._on_stop)
            if self._own_controller:
                self._controller.cleanup()
            self.summary.log_end()
        return self.result

    def _with_details(self, options: ConsumeOptions) -> Callable[[Any], Any]:
        def handler(message: Any) -> Any:
            if options.batch:
                self.log.info("Processing %r from offset %d", message, message.offsets[0])
            else:
                self.log.info("Processing %s[%d] at offset %d", message["topic"],
                              message["partition"], message["offset"])
            return options.handler(message)

        return handler

    def _on_stop(self) -> None:
        # Maybe inside a signal handler: only puts into simple queues.
        self._stopping.put(None)
        session = self._session
        if session is not None:
            session.outbox.request_stop(getattr(self._controller, "stop_reason", "") or "stop requested")
            session.look_up()

    def _run_sessions(self) -> None:
        wait_s, away_since, said_at = _FIRST_WAIT_S, time.monotonic(), 0.0
        while not self.should_stop():
            session, error = self._run_session(away_since)
            if session.joined:
                wait_s, away_since, said_at = _FIRST_WAIT_S, time.monotonic(), 0.0
            if self._is_over(session, error):
                return
            if error is None:
                error = SidecarUnavailable("the sidecar is stopping", reason="SHUTTING_DOWN")
            now = time.monotonic()
            if self._connect_timeout_s is not None and now - away_since >= self._connect_timeout_s:
                raise error
            if now - said_at >= _SAY_AGAIN_S or said_at == 0.0:
                self.log.log(logging.WARNING if said_at == 0.0 else logging.INFO,
                             "Waiting to go on, for %.0f s now: %s", now - away_since, error)
                said_at = now
            if self._wait(wait_s * random.uniform(0.5, 1.0)):
                break
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        self.result.stop_reason, self.result.clean = "client", self._last_clean

    def _run_session(self, away_since: float) -> tuple[Session, KafkaSidecarError | None]:
        session = Session(self._stub, self._start, self.log, self.result.committed.__setitem__)
        self._session = session
        session.open()
        patience = None
        if self._connect_timeout_s is not None:
            left = away_since + self._connect_timeout_s - time.monotonic()
            patience = threading.Timer(max(0.0, left), session.give_up_joining)
            patience.daemon = True
            patience.start()
        kind = BatchDispatcher if self._options.batch else Dispatcher
        dispatcher = kind(session, self._handler, self)
        try:
            if self.should_stop():  # Between the last look and now.
                self._on_stop()
            dispatcher.run()
            if self.should_stop():
                session.outbox.request_stop("stop requested")
        except BaseException:
            session.outbox.request_stop("the job raised an exception")
            session.close(_CLOSE_SLACK_S)
            raise
        finally:
            self._session = None
            if patience is not None:
                patience.cancel()
        if not session.close(self._options.shutdown_drain_timeout_s + _CLOSE_SLACK_S):
            self.log.warning("The sidecar did not confirm the end within %.0f s; what it has not "
                             "committed comes again", self._options.shutdown_drain_timeout_s + _CLOSE_SLACK_S)
            return session, SidecarUnavailable("the sidecar did not confirm the end in time")
        return session, session.error

    def _is_over(self, session: Session, error: KafkaSidecarError | None) -> bool:
        """Whether the call ends with this session; raises if with an error."""
        stopped, result = session.stopped, self.result
        if session.started is not None:
            self._last_clean = error is None and stopped is not None and stopped.clean
        if stopped is not None and stopped.reason == pb.STOP_REASON_POLICY:
            place = stopped.failed_record
            result.stop_reason, result.clean = "policy", stopped.clean
            result.error = ProcessingStopped(
                stopped.message or "a record failed", reason="PROCESSING_FAILED",
                metadata={"topic": place.topic, "partition": str(place.partition),
                          "offset": str(place.offset)})
            result.error.result = result
            self.log.error("Stopped by on_error=stop: %s", result.error)
            return True
        if self.should_stop():
            result.stop_reason = "client"
            result.clean = self._last_clean
            if not result.clean:
                self.log.warning("The end was not clean: %s", error or (
                    f"{stopped.unacked} deliveries without an ack come again" if stopped else "no last word"))
            return True
        if error is not None and not is_passing(error):
            raise error
        if error is None and stopped is not None and stopped.reason == pb.STOP_REASON_ERROR:
            raise KafkaSidecarError(stopped.message or "the sidecar ended the session")
        return False

    def _wait(self, seconds: float) -> bool:
        """Waits; returns at once, with True, when a stop is asked for."""
        until = time.monotonic() + seconds
        while not self.should_stop():
            left = until - time.monotonic()
            if left <= 0:
                return False
            try:
                self._stopping.get(timeout=min(left, self.poll_s or left))
            except queue.Empty:
                continue
        return True
