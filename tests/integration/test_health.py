"""Health of the daemon and of each session, and what the log tells meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from contextlib import ExitStack
from typing import Any

import datapy_kafka
from support.paths import BUILD, free_ports, wait_until
from support.sidecar import Api, Sidecar, sidecar_binary


class HeldRecord:
    """A job whose callback holds its first record until it is told to go on."""

    def __init__(self, daemon: Sidecar, stack: ExitStack) -> None:
        self.held = threading.Event()
        self._go_on = threading.Event()
        self._client = stack.enter_context(datapy_kafka.connect(daemon.address))
        self._client.produce("orders", [{"id": 1}])
        self._thread = threading.Thread(target=self._consume, daemon=True)
        self._thread.start()
        stack.callback(self.let_go)
        assert self.held.wait(60)

    def let_go(self) -> None:
        """The callback returns; the job ends when the daemon does."""
        self._go_on.set()
        self._thread.join(60)

    def _consume(self) -> None:
        with datapy_kafka.StreamController() as controller:
            def handle(_: dict[str, Any]) -> None:
                self.held.set()
                self._go_on.wait(60)
                controller.request_stop("held long enough")
            self._client.consume(topics=["orders"], group_id="health", handler=handle, controller=controller)


def _state(api: Api, service: str) -> str:
    """SERVING, NOT_SERVING, or the code of an error."""
    import grpc
    name = service.encode()
    check = api.channel.unary_unary("/grpc.health.v1.Health/Check")
    try:
        answer = check(b"\x0a" + bytes([len(name)]) + name, timeout=5)
    except grpc.RpcError as error:
        return str(error.code().name)
    return {b"\x08\x01": "SERVING", b"\x08\x02": "NOT_SERVING"}[answer]


def test_a_session_has_an_entry_from_its_start_to_its_end(cleanup: ExitStack) -> None:
    daemon = cleanup.enter_context(Sidecar("health", None, ["--dev_broker"]))
    api = cleanup.enter_context(daemon.api())
    assert _state(api, "session/s1") == "NOT_FOUND"
    job = HeldRecord(daemon, cleanup)
    assert (_state(api, ""), _state(api, "session/s1")) == ("SERVING", "SERVING")
    job.let_go()
    wait_until(lambda: _state(api, "session/s1") == "NOT_FOUND", 20, "the entry goes with the session")
    assert _state(api, "") == "SERVING"


def test_from_the_start_of_a_drain_nothing_serves_and_the_daemon_lives(cleanup: ExitStack) -> None:
    daemon = cleanup.enter_context(Sidecar("drain-health", None, ["--dev_broker"]))
    api = cleanup.enter_context(daemon.api())
    job = HeldRecord(daemon, cleanup)
    daemon.process.signal(signal.SIGTERM)
    wait_until(lambda: _state(api, "") == "NOT_SERVING", 20, "the daemon is not ready")
    wait_until(lambda: _state(api, "session/s1") == "NOT_SERVING", 20, "nor is its session")
    assert daemon.process.running()
    job.let_go()
    assert daemon.process.wait(30) == 0


def test_health_asks_at_the_unix_socket_whatever_else_is_named_first(cleanup: ExitStack) -> None:
    daemon = cleanup.enter_context(Sidecar("health-address", None, ["--dev_broker"]))
    port, = free_ports(1)
    asked = subprocess.run([str(sidecar_binary()), "--health", f"--listen=127.0.0.1:{port},{daemon.address}"],
                           capture_output=True, text=True, timeout=30, check=False)
    assert (asked.returncode, asked.stdout) == (0, f"serving at {daemon.address}\n"), asked.stderr


def test_a_broker_that_is_gone_leaves_the_daemon_healthy(cleanup: ExitStack) -> None:
    daemon = cleanup.enter_context(Sidecar("no-broker", "127.0.0.1:1", []))
    with daemon.api() as api:
        assert _state(api, "") == "SERVING"


def test_the_log_has_a_summary_of_each_session(cleanup: ExitStack) -> None:
    daemon = cleanup.enter_context(
        Sidecar("summary", None, ["--dev_broker", "--log_format=json", "--log_summary_interval_s=0.2"]))
    HeldRecord(daemon, cleanup)
    wait_until(lambda: "in flight 1 of 10000, the oldest orders[" in daemon.text(), 20, "a summary with the record")
    messages = [json.loads(line)["message"] for line in daemon.text().splitlines() if line.startswith("{")]
    assert any(each.startswith("session s1 of group health: ") for each in messages)
    assert any(each.startswith("producer of default: written 1, failed 0") for each in messages)
    # What librdkafka says of the mock cluster is of no use to whom it is shown.
    assert not [each for each in messages if "librdkafka " in each and "serves at" not in each]


def test_status_for_people_and_for_programs(cleanup: ExitStack) -> None:
    daemon = cleanup.enter_context(Sidecar("status", None, ["--dev_broker"]))
    HeldRecord(daemon, cleanup)
    command = [str(BUILD / "venv/bin/datapy-kafka"), "status", "--address", daemon.address]

    def shown() -> str:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout

    # A session publishes its numbers twice a second.
    wait_until(lambda: "in flight 1 of 10,000" in shown(), 20, "the status shows the record")
    assert "oldest: orders[" in shown()
    status = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=30,
                                       check=True).stdout)
    session, = status["sessions"]
    assert (session.get("groupId") or session.get("group_id")) == "health"
    watch = subprocess.Popen([*command, "--watch", "--json"], stdout=subprocess.PIPE, text=True)
    cleanup.callback(watch.wait)
    cleanup.callback(watch.kill)
    assert watch.stdout is not None
    for _ in range(2):
        assert json.loads(watch.stdout.readline())["sessions"]
