"""Small calls over a socket of their own: what they do where things go another way than usual."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import datapy_kafka
import pytest
from conftest import Job
from datapy_kafka import _direct, _http2
from datapy_kafka._direct import DirectCalls
from datapy_kafka.v1 import sidecar_pb2 as pb
from fake_sidecar import FakeSidecar

METHOD = "/datapy_kafka.v1.KafkaSidecar/Produce"
PREFACE = 24
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
OK_HEADERS = b"\x88"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def message(payload: bytes) -> bytes:
    return b"\0" + struct.pack(">I", len(payload)) + payload


def answer(stream: int, payload: bytes) -> bytes:
    return (frame(HEADERS, 4, stream, OK_HEADERS) + frame(DATA, 0, stream, message(payload))
            + frame(HEADERS, 5, stream, b"\0\x0bgrpc-status\x010"))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "not within 10 s"
        time.sleep(0.01)


class Server:
    """Accepts connections and answers each request as the test says, byte by byte."""

    def __init__(self, path: Path, respond: Callable[[int, int], bytes | None]) -> None:
        self.address = f"unix://{path}"
        self.requests: list[tuple[int, bytes]] = []
        self.acks = 0
        self._respond = respond
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        data = connection.makefile("rb")
        assert data.read(PREFACE) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        connection.sendall(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535)))
        while head := data.read(9):
            size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            stream, payload = int.from_bytes(head[5:], "big"), data.read(size)
            if kind in (SETTINGS, PING) and flags & 1:
                self.acks += 1
            if kind != DATA:
                continue
            assert flags & 1 and payload[:5] == message(payload[5:])[:5]
            self.requests.append((stream, payload[5:]))
            answer = self._respond(len(self.requests), stream)
            if answer is None:
                connection.close()
                data.close()
                return
            connection.sendall(answer)

    def close(self) -> None:
        """Ends it with all its connections."""
        self._listener.close()
        for one in self._open:
            one.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[Server, DirectCalls]]]:
    """Starts a server, and calls to it."""
    started = []
    with tempfile.TemporaryDirectory() as folder:
        def start(respond: Callable[[int, int], bytes | None]) -> tuple[Server, DirectCalls]:
            started.append(Server(Path(folder) / f"s{len(started)}", respond))
            return started[-1], DirectCalls(started[-1].address, METHOD)

        yield start
        for one in started:
            one.close()


def test_calls_go_over_one_connection(serve):
    server, calls = serve(lambda _, stream: answer(stream, b"done"))
    assert [calls.call(b"one", 5), calls.call(b"two", 5)] == [b"done"] * 2
    assert server.requests == [(1, b"one"), (3, b"two")]


def test_what_comes_between_is_taken_in(serve):
    between = (frame(PING, 0, 0, b"12345678") + frame(SETTINGS, 0, 0) + frame(8, 0, 0, struct.pack(">I", 10))
               + frame(99, 0, 0, b"unknown") + frame(8, 0, 1, struct.pack(">I", 1)))
    server, calls = serve(lambda _, stream: between + answer(stream, b"done") + between)
    assert [calls.call(b"", 5) for _ in range(20)] == [b"done"] * 20
    assert {stream for stream, _ in server.requests} == set(range(1, 40, 2))


def test_an_answer_may_come_in_pieces(serve):
    def respond(_: int, stream: int) -> bytes:
        whole = message(b"x" * 40_000)
        return (frame(HEADERS, 0, stream, OK_HEADERS) + frame(CONTINUATION, 4, stream)
                + b"".join(frame(DATA, 0, stream, whole[at:at + 16_384]) for at in range(0, len(whole), 16_384))
                + frame(HEADERS, 1, stream) + frame(CONTINUATION, 4, stream))

    _, calls = serve(respond)
    assert [calls.call(b"", 5), calls.call(b"", 5)] == [b"x" * 40_000] * 2


@pytest.mark.parametrize("make", [
    lambda stream: frame(HEADERS, 5, stream, b"\0\x0bgrpc-status\x013"),
    lambda stream: frame(RST_STREAM, 0, stream, struct.pack(">I", 7)),
    lambda stream: frame(GOAWAY, 0, 0, struct.pack(">II", stream - 1, 0)),
], ids=["refused by the daemon", "refused by HTTP/2", "going away"])
def test_what_was_not_done_is_left_to_grpcio(serve, make):
    _, calls = serve(lambda _, stream: make(stream))
    assert calls.call(b"", 5) is None


def test_a_connection_that_goes_away_ends_its_call_and_is_not_used_again(serve):
    server, calls = serve(lambda _, stream: frame(GOAWAY, 0, 0, struct.pack(">II", 2**31 - 1, 0)) + answer(stream, b"x"))
    assert [calls.call(b"", 5), calls.call(b"", 5)] == [b"x"] * 2
    assert [stream for stream, _ in server.requests] == [1, 1]


@pytest.mark.parametrize("make", [
    lambda stream: None, lambda stream: frame(RST_STREAM, 0, stream, struct.pack(">I", 2)),
    lambda stream: frame(HEADERS, 4, stream) + frame(DATA, 1, stream, b"\1\0\0\0\0"),
    lambda stream: frame(HEADERS, 4, stream) + frame(DATA, 1, stream, message(b"12345")[:-1]),
], ids=["closed", "reset", "compressed", "cut short"])
def test_a_call_whose_end_is_not_known_is_not_made_again(serve, make):
    server, calls = serve(lambda _, stream: make(stream))
    with pytest.raises(datapy_kafka.SidecarUnavailable, match="the connection broke during a call"):
        calls.call(b"", 5)
    assert len(server.requests) == 1


def test_a_call_without_an_answer_ends_in_time_and_its_answer_is_no_other_s(serve):
    server, calls = serve(lambda number, stream: b"" if number == 1 else answer(stream, b"second"))
    with pytest.raises(datapy_kafka.KafkaTimeout, match="within 0.2 s"):
        calls.call(b"first", 0.2)
    assert calls.call(b"", 5) == b"second"


def test_a_connection_that_was_closed_meanwhile_is_replaced(serve):
    server, calls = serve(lambda number, stream: answer(stream, b"%d" % number))
    assert calls.call(b"", 5) == b"1"
    server._open[0].shutdown(socket.SHUT_RDWR)
    assert calls.call(b"", 5) == b"2"


def test_an_idle_connection_answers_the_daemon(serve):
    server, calls = serve(lambda _, stream: answer(stream, b"x"))
    assert calls.call(b"", 5) == b"x"
    acks = server.acks
    server._open[0].sendall(frame(PING, 0, 0, b"12345678"))
    wait_until(lambda: server.acks > acks)
    server._open[0].sendall(frame(GOAWAY, 0, 0, struct.pack(">II", 1, 0)))
    wait_until(lambda: not calls._idle)
    assert calls.call(b"", 5) == b"x" and [stream for stream, _ in server.requests] == [1, 1]


def test_a_connection_that_is_not_used_is_closed(serve, monkeypatch):
    monkeypatch.setattr(_direct, "_IDLE_S", 0.2)
    _, calls = serve(lambda _, stream: answer(stream, b"x"))
    for _ in range(2):
        assert calls.call(b"", 5) == b"x"
        wait_until(lambda: not calls._idle and calls._keeper is None)


def test_without_a_daemon_nothing_is_done():
    assert DirectCalls("unix:///nowhere/at/all", METHOD).call(b"", 5) is None
    assert DirectCalls.can_reach("unix:///x") and DirectCalls.can_reach("unix:/x")
    assert not DirectCalls.can_reach("127.0.0.1:5") and not DirectCalls.can_reach("unix-abstract:x")


def test_the_window_does_not_run_out(sidecar: FakeSidecar):
    producer = datapy_kafka.connect(sidecar.address).producer("out", value_format="string")
    text = "x" * 15_000
    assert sum(producer.send(text).sent for _ in range(100)) == 100
    assert all(list(one.columns.values) == [text] for one in sidecar.produced) and len(sidecar.produced) == 100


def test_small_and_large_requests_arrive_in_order(sidecar: FakeSidecar):
    producer = datapy_kafka.connect(sidecar.address).producer("out", value_format="string")
    sizes = [10, _http2.MAX_MESSAGE - 300, _http2.MAX_MESSAGE + 1, 20, 100_000, 30]
    for size in sizes:
        producer.send("x" * size)
    assert [len(one.columns.values[0]) for one in sidecar.produced] == sizes


def test_threads_do_not_wait_for_one_another(sidecar: FakeSidecar):
    both = threading.Barrier(2, timeout=10)

    def meet(_: pb.ProduceRequest) -> pb.ProduceResponse:
        both.wait()
        return pb.ProduceResponse(succeeded=1)

    sidecar.on_produce = meet
    client = datapy_kafka.connect(sidecar.address)
    jobs = [Job(lambda: client.produce("out", {}).sent) for _ in range(2)]
    assert [job.result() for job in jobs] == [1, 1]


def test_a_daemon_that_started_anew_is_found(sidecar: FakeSidecar):
    producer = datapy_kafka.connect(sidecar.address).producer("out")
    assert producer.send({}).sent == 1
    sidecar.stop()
    with pytest.raises(datapy_kafka.SidecarUnavailable):
        datapy_kafka.connect(sidecar.address, connect_timeout_s=0.0).producer("out", flush_timeout_s=0.3).send({})
    sidecar.start()
    assert producer.send({}).sent == 1


def test_a_child_does_not_use_its_parent_s_connections(serve):
    server, calls = serve(lambda number, stream: answer(stream, b"%d" % stream))
    assert [calls.call(b"", 5), calls.call(b"", 5)] == [b"1", b"3"]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, calls.call(b"", 5) or b"none")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(read, 10) == b"1"  # The first stream of a connection of its own.
    assert calls.call(b"", 5) == b"5"
    os.close(read), os.close(write)
