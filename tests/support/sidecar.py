"""The daemon as a test uses it: started, stopped, killed, asked.

    with Sidecar("orders", kafka.bootstrap_servers) as daemon:
        daemon.address                   # unix:///tmp/…/s
        daemon.api().GetStatus()

The binary is $DATAPY_KAFKA_SIDECAR_BINARY, else build/datapy-kafka-sidecar.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import grpc
from datapy_kafka.v1 import sidecar_pb2 as pb

from support.paths import BUILD, LOGS, Process, wait_until
from support.sanitizer import is_sanitized

SERVICE = "/datapy_kafka.v1.KafkaSidecar/"
# grpc.health.v1's answers, as bytes: the tests need no package for them.
_SERVING = b"\x08\x01"


def sidecar_binary() -> str:
    """The daemon's path; an assertion that says how to get it when there is none."""
    path = os.environ.get("DATAPY_KAFKA_SIDECAR_BINARY", str(BUILD / "datapy-kafka-sidecar"))
    assert os.access(path, os.X_OK), f"{path} is missing: deploy/build.sh daemon makes it"
    return path


class Api:
    """The daemon's calls with messages as they are, beneath the client library."""

    def __init__(self, address: str) -> None:
        big = 64 << 20
        self.channel = grpc.insecure_channel(address, options=[
            ("grpc.max_receive_message_length", big), ("grpc.max_send_message_length", big),
            ("grpc.use_local_subchannel_pool", 1)])

    def close(self) -> None:
        """Closes the channel."""
        self.channel.close()

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def consume(self, requests: Any) -> Any:
        """The stream of responses for an iterator of requests."""
        return self.channel.stream_stream(f"{SERVICE}Consume", pb.ConsumeRequest.SerializeToString,
                                          pb.ConsumeResponse.FromString)(requests)

    def status(self, timeout_s: float = 10) -> pb.GetStatusResponse:
        """GetStatus."""
        response: pb.GetStatusResponse = self._unary("GetStatus", pb.GetStatusResponse)(
            pb.GetStatusRequest(), timeout=timeout_s)
        return response

    def check_connection(self, connection: pb.Connection, timeout_s: float = 30) -> pb.CheckConnectionResponse:
        """CheckConnection."""
        call = self._unary("CheckConnection", pb.CheckConnectionResponse)
        response: pb.CheckConnectionResponse = call(pb.CheckConnectionRequest(connection=connection), timeout=timeout_s)
        return response

    def produce(self, request: pb.ProduceRequest, timeout_s: float = 30) -> pb.ProduceResponse:
        """Produce."""
        response: pb.ProduceResponse = self._unary("Produce", pb.ProduceResponse)(request, timeout=timeout_s)
        return response

    def serving(self, service: str = "") -> bool:
        """Whether grpc.health.v1 says SERVING; False as well when nothing answers."""
        name = service.encode()
        request = b"\x0a" + bytes([len(name)]) + name if name else b""
        check = self.channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            return bool(check(request, timeout=2) == _SERVING)
        except grpc.RpcError:
            return False

    def _unary(self, name: str, response: Any) -> Any:
        return self.channel.unary_unary(f"{SERVICE}{name}", lambda request: request.SerializeToString(),
                                        response.FromString)


class Sidecar:
    """A daemon with a socket folder of its own; it can be started again at the same address."""

    def __init__(self, name: str, bootstrap_servers: str | None = None, arguments: list[str] | None = None,
                 env: dict[str, str] | None = None) -> None:
        # Short, whatever the test's name: a socket's path has 107 bytes at most.
        self.folder = Path(tempfile.mkdtemp(prefix="dks-", dir="/tmp"))
        self.socket = self.folder / "s"
        self.address = f"unix://{self.socket}"
        self.log = LOGS / "daemon" / f"{name}-{self.folder.name}.log"
        self._arguments = [f"--listen={self.address}", *(arguments or [])]
        self._env = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers} if bootstrap_servers else {}
        self._env.update(env or {})
        self._process: Process | None = None
        self.starts = 0

    @property
    def process(self) -> Process:
        """The running, or last, process."""
        assert self._process is not None, "the daemon was never started"
        return self._process

    def launch(self) -> Process:
        """Starts it without waiting for anything."""
        self._process = Process([sidecar_binary(), *self._arguments], self.log, self._env)
        self.starts += 1
        return self._process

    def start(self, timeout_s: float = 30) -> Sidecar:
        """Starts it and waits until its health is SERVING."""
        process = self.launch()

        def serving() -> bool:
            assert process.running(), f"the daemon ended with {process.returncode}:\n{process.tail()}"
            with self.api() as api:
                return api.serving()

        wait_until(serving, timeout_s, "the daemon is SERVING")
        return self

    def api(self) -> Api:
        """A channel of its own; close it."""
        return Api(self.address)

    def status(self) -> pb.GetStatusResponse:
        """GetStatus."""
        with self.api() as api:
            return api.status()

    def stop(self, timeout_s: float = 45) -> int:
        """SIGTERM; the exit code."""
        return self.process.terminate(timeout_s)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()

    def pause(self) -> None:
        """SIGSTOP."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.process.signal(signal.SIGCONT)

    def text(self) -> str:
        """All that it has logged, over all its starts."""
        return self.log.read_text(errors="replace")

    def close(self) -> None:
        """Ends it, however, and removes its folder; the log stays."""
        if self._process is not None:
            if is_sanitized(sidecar_binary()):
                # Only an end in good order is looked at for what leaks.
                self._process.try_to_end(10)
            self._process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Sidecar:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()
