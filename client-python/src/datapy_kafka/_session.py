"""One Consume call: the stream, its reading thread, and what the daemon said."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from ._acks import Outbox
from ._address import Stub
from ._errors import (
    KafkaSidecarError,
    SidecarUnavailable,
    for_reason,
    from_rpc_error,
    reason_name,
    unreachable_text,
)
from ._grpc import grpc
from .v1 import sidecar_pb2 as pb

TopicPartition = tuple[str, int]
Log = logging.Logger | logging.LoggerAdapter[Any]


class Session:
    """A Consume call that is open.

    gRPC's thread fills `frames` in the order of arrival, with None where the
    handler's thread should look up. `interrupt` says that `voids` or the end
    has something for it; the handler's thread alone clears it.
    """

    def __init__(self, stub: Stub, start: pb.Start, log: Log,
                 on_committed: Callable[[TopicPartition, int], None]) -> None:
        self.frames: queue.SimpleQueue[pb.RecordColumns | None] = queue.SimpleQueue()
        self.interrupt = False
        # (partition, last void delivery id), and then the revocation to release.
        self.voids: deque[tuple[list[TopicPartition], int, int]] = deque()
        self.started: pb.Started | None = None
        # Whether the group has let the session in, and what Kafka said against it.
        self.joined = False
        self._trouble: KafkaSidecarError | None = None
        self.draining = False
        self.ended = threading.Event()
        self.stopped: pb.Stopped | None = None
        self.error: KafkaSidecarError | None = None
        self.outbox = Outbox(start)
        self._address = stub.address
        self._log = log
        self._on_committed = on_committed
        self._last_id = 0
        self._call = stub.consume(iter(self.outbox), self._receive)
        self._thread = threading.Thread(target=self._read, name="datapy-kafka-reader", daemon=True)

    def open(self) -> None:
        """Starts to read."""
        _keep_memory_of_frames()
        self._thread.start()

    def look_up(self) -> None:
        """Has the handler's thread look up; may be called inside a signal handler."""
        self.interrupt = True
        self.frames.put(None)

    def give_up_joining(self) -> None:
        """Ends a call that has not joined its group, with what stood in the way."""
        if self.joined or self.ended.is_set():
            return
        if self.started is None:
            self.error = SidecarUnavailable(unreachable_text(self._address, "within connect_timeout_s"))
        else:
            self.error = self._trouble or for_reason(
                "TIMED_OUT", "the group did not let this consumer in within connect_timeout_s")
        self._call.cancel()

    def close(self, timeout_s: float) -> bool:
        """Half-closes and waits for the daemon's last word; returns whether it came."""
        self.outbox.half_close()
        in_time = self.ended.wait(timeout_s)
        self.abort()
        return in_time

    def abort(self) -> None:
        """Ends the call at once."""
        self._call.cancel()
        self.outbox.cancel()
        self._thread.join()
        self.frames = queue.SimpleQueue()  # The call keeps this session until Python looks for cycles.

    def _receive(self, data: bytes) -> pb.ConsumeResponse:
        """Takes a frame on gRPC's thread, which holds its lock, for the handler's thread.

        Each thread between the two would make a record wait for the interpreter. What
        may take long, as a line of the log, is left to the reading thread.
        """
        response = pb.ConsumeResponse.FromString(data)
        if response.HasField("columns"):
            columns = response.columns
            self._last_id = columns.first_delivery_id + len(columns.offsets) - 1
            self.frames.put(columns)
            return response
        kind = response.WhichOneof("frame")
        if kind == "started":
            self.started = response.started
            self.outbox.window = response.started.max_in_flight_records
            self.frames.put(None)
        elif kind == "revoked":
            revoked = response.revoked
            partitions = [(one.topic, one.partition) for one in revoked.partitions]
            self.voids.append((partitions, self._last_id, 0 if revoked.lost else revoked.revocation_id))
            self.look_up()
        elif kind == "withdrawn":
            void = response.withdrawn
            self.voids.append(([(void.topic, void.partition)], void.through_delivery_id, 0))
            self.look_up()
        elif kind == "draining":
            self.draining = True
            self.look_up()
        return response

    def _read(self) -> None:
        try:
            for response in self._call:
                if not response.HasField("columns"):
                    self._tell(response)
        except grpc.RpcError as error:
            self.error = self.error or from_rpc_error(error, self._address)
        finally:
            self.outbox.cancel()
            self.ended.set()
            self.look_up()

    def _tell(self, response: pb.ConsumeResponse) -> None:
        kind = response.WhichOneof("frame")
        if kind == "committed":
            self._take_commits(response.committed.partitions)
        elif kind == "assigned":
            self.joined = True
            self._log.info("Assigned: %s", _names(response.assigned.partitions))
        elif kind == "revoked":
            self._log.info("%s: %s", "Lost" if response.revoked.lost else "Revoked",
                           _names(response.revoked.partitions))
        elif kind == "notice":
            notice = response.notice
            self._trouble = for_reason(reason_name(notice.reason), notice.message)
            level = logging.WARNING if notice.severity == pb.SEVERITY_WARNING else logging.INFO
            self._log.log(level, "%s (%s)", notice.message, reason_name(notice.reason))
        elif kind == "stopped":
            self.stopped = response.stopped
            self._take_commits(response.stopped.committed)

    def _take_commits(self, partitions: Any) -> None:
        for one in partitions:
            self._on_committed((one.topic, one.partition), one.offset)


def _keep_memory_of_frames() -> None:
    """Has glibc keep the memory of a frame for the next one.

    By default it returns what a frame of large values took to the kernel, which fills
    it with zeros for the next: a third of the job's CPU at 10 KiB a record. What glibc
    keeps follows the largest block that was freed (mallopt(3), M_MMAP_THRESHOLD): this
    one makes it 8 MiB. It has no effect on other allocators, nor where MALLOC_ variables
    are set.
    """
    bytes(4 << 20)


def _names(partitions: Any) -> str:
    names = [f"{one.topic}[{one.partition}]" for one in partitions]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return (", ".join(names[:20]) or "no partitions") + more
