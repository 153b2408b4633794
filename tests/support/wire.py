"""A Consume call frame by frame: what a job does that does not use the client library.

    with RawStream(daemon, topics=["t"], group_id="g") as stream:
        stream.wait_rows(10)
        stream.ack((1, 10))
        stream.stop()                    # the daemon's `stopped`
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from typing import Any, Self

import grpc
from datapy_kafka.v1 import sidecar_pb2 as pb

from support.paths import wait_until
from support.sidecar import Sidecar


class RawStream:
    """An open call on a connection of its own. A thread gathers what arrives unless `reading` is False."""

    def __init__(self, daemon: Sidecar, *, topics: list[str], group_id: str, reading: bool = True,
                 **start: Any) -> None:
        self._requests: queue.SimpleQueue[pb.ConsumeRequest | None] = queue.SimpleQueue()
        self._start = pb.ConsumeRequest(start=pb.Start(**{
            "connection": pb.Connection(name="default"), "topics": topics, "group_id": group_id,
            "properties": {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}, **start}))
        self._api = daemon.api()
        self.rows: list[pb.RecordRow] = []
        self.frames: list[pb.ConsumeResponse] = []
        self.error: grpc.RpcError | None = None
        self.ended = threading.Event()
        self._call = self._api.consume(self._outgoing())
        self._thread = threading.Thread(target=self._read, daemon=True, name="raw-stream")
        self._requests.put(self._start)
        if reading:
            self._thread.start()

    def send(self, frame: pb.ConsumeRequest) -> None:
        """Sends a frame as it is."""
        self._requests.put(frame)

    def ack(self, *ranges: tuple[int, int]) -> None:
        """Acks ranges of delivery ids, both ends inclusive."""
        self.send(pb.ConsumeRequest(ack=pb.Ack(
            ranges=[pb.DeliveryRange(first_id=first, last_id=last) for first, last in ranges])))

    def of_kind(self, kind: str) -> list[Any]:
        """The frames of a kind that have arrived."""
        return [getattr(frame, kind) for frame in list(self.frames) if frame.WhichOneof("frame") == kind]

    def wait_rows(self, count: int, timeout_s: float = 60) -> list[pb.RecordRow]:
        """Waits until so many records have arrived in all."""
        wait_until(lambda: len(self.rows) >= count or self.ended.is_set(), timeout_s, f"{count} records have arrived")
        assert len(self.rows) >= count, f"{len(self.rows)} of {count} records, then {self.error}"
        return list(self.rows)

    def half_close(self) -> None:
        """No more frames from this side."""
        self._requests.put(None)

    def stop(self, timeout_s: float = 40) -> pb.Stopped:
        """A clean end; the daemon's last word."""
        self.half_close()
        assert self.ended.wait(timeout_s), "the daemon did not end the call"
        assert self.error is None, self.error
        stopped: pb.Stopped = self.of_kind("stopped")[-1]
        return stopped

    def close(self) -> None:
        """Cancels what is left and closes the connection."""
        self._call.cancel()
        self._requests.put(None)
        self._api.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _outgoing(self) -> Iterator[pb.ConsumeRequest]:
        while (frame := self._requests.get()) is not None:
            yield frame

    def _read(self) -> None:
        try:
            for frame in self._call:
                self.frames.append(frame)
                self.rows.extend(frame.records.records)
        except grpc.RpcError as error:
            self.error = error
        finally:
            self.ended.set()


def memory_mib(pid: int) -> float:
    """What the process holds in memory now."""
    return _status(pid, "VmRSS")


def peak_mib(pid: int) -> float:
    """The most that it has held."""
    return _status(pid, "VmHWM")


def threads(pid: int) -> int:
    """How many threads it has."""
    return int(_status(pid, "Threads") * 1024)


def cpu_s(pid: int) -> float:
    """Processor time that it has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status(pid: int, name: str) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        line = next(each for each in status if each.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024
