"""Bad input: a clear message, the promised exit code or status, and the daemon alive."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import datapy_kafka
import grpc
import pytest
from datapy_kafka.v1 import error_pb2
from datapy_kafka.v1 import sidecar_pb2 as pb
from support.jobs import Journal, recorder
from support.kafka import KafkaCluster
from support.paths import free_ports, wait_until
from support.sidecar import SERVICE, Sidecar, sidecar_binary
from support.verify import produce_numbered, wait_committed_to_end

StartSidecar = Callable[..., Sidecar]


def run_daemon(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a daemon that must refuse to start."""
    return subprocess.run([sidecar_binary(), *arguments], capture_output=True, text=True, timeout=20, check=False,
                          env={**os.environ, **(env or {})})


def refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The start was refused with `code` and one line that holds the words."""
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize(("arguments", "words"), [
    (["--no_such_flag=1"], ["no_such_flag"]),
    (["--shutdown_drain_timeout_s=soon"], ["shutdown_drain_timeout_s"]),
    (["--log_level=loud"], ["log_level", "loud"]),
    (["--listen=ftp://x"], ["listen", "ftp://x"]),
    (["--listen=0.0.0.0:7000"], ["0.0.0.0:7000"]),
    (["--config=/no/such/file.json"], ["/no/such/file.json"]),
    (["left-over"], ["left-over"]),
])
def test_a_bad_flag_is_refused(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    extra = [] if arguments[0].startswith("--listen") else [f"--listen=unix://{tmp_path}/s"]
    refused(run_daemon(*arguments, *extra), 2, *words)


def test_a_bad_environment_twin_is_refused(tmp_path: Path) -> None:
    done = run_daemon(f"--listen=unix://{tmp_path}/s", env={"DATAPY_KAFKA_SHUTDOWN_DRAIN_TIMEOUT_S": "soon"})
    refused(done, 2, "DATAPY_KAFKA_SHUTDOWN_DRAIN_TIMEOUT_S")


@pytest.mark.parametrize(("content", "words"), [
    ('{"conections": {}}', ["conections"]),
    ('{"limits": {"max_sessions": "many"}}', ["max_sessions"]),
    ('{"limits": [}', []),
    ('{"connections": {"a": {"security_protocol": "PLAINTEXT"}}}', ["bootstrap_servers"]),
    ('{"connections": {"a": {"bootstrap_servers": {"env": "NOT_SET_ANYWHERE"}}}}', ["NOT_SET_ANYWHERE"]),
    (json.dumps({"connections": {"a": {"bootstrap_servers": {"value": "h:1"}, "security_protocol": "SASL_SSL",
                                       "sasl_username": {"value": "u"},
                                       "sasl_password": {"value": "open-secret"}}}}), ["sasl_password"]),
])
def test_a_bad_configuration_file_is_refused(content: str, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "sidecar.json"
    path.write_text(content)
    for check in ([], ["--check"]):
        done = run_daemon(f"--config={path}", f"--listen=unix://{tmp_path}/s", *check)
        refused(done, 2, str(path), *words)
        assert "open-secret" not in done.stdout + done.stderr


def test_a_socket_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = f"/tmp/{'x' * 110}"
    refused(run_daemon(f"--listen=unix://{path}"), 2, path, "107")


def test_a_folder_that_cannot_be_made_is_refused() -> None:
    # /proc takes no new folder, not even from root.
    done = run_daemon("--listen=unix:///proc/none/s")
    assert done.returncode in (2, 3), done.stderr
    assert "/proc/none" in done.stderr


def test_a_second_daemon_on_the_same_socket_is_refused(start_sidecar: StartSidecar) -> None:
    daemon = start_sidecar()
    done = run_daemon(f"--listen={daemon.address}")
    assert done.returncode == 3, done.stderr
    assert str(daemon.socket) in done.stderr
    with daemon.api() as api:
        assert api.serving()


def test_a_taken_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_daemon(f"--listen={address}")
    assert done.returncode == 3, done.stderr
    assert address in done.stderr


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("keep me")
    done = run_daemon(f"--listen=unix://{path}")
    assert done.returncode in (2, 3), done.stderr
    assert str(path) in done.stderr
    assert path.read_text() == "keep me"


def test_a_stale_socket_is_replaced_and_the_new_one_is_private(start_sidecar: StartSidecar) -> None:
    daemon = start_sidecar()
    daemon.kill()
    assert daemon.socket.exists()
    daemon.start()
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o600
    assert daemon.stop() == 0


# ---------------------------------------------------------------------------
# Over the API
# ---------------------------------------------------------------------------


def error_of(error: grpc.RpcError) -> tuple[grpc.StatusCode, str, str]:
    """Status code, message and ErrorInfo's reason."""
    metadata = dict(error.trailing_metadata() or ())
    details = error_pb2.RpcStatus.FromString(metadata["grpc-status-details-bin"]).details
    assert len(details) == 1
    assert details[0].type_url == "type.googleapis.com/google.rpc.ErrorInfo"
    info = error_pb2.RpcErrorInfo.FromString(details[0].value)
    assert info.domain == "datapy-kafka-sidecar"
    return error.code(), error.details(), info.reason


def refused_stream(daemon: Sidecar, requests: list[pb.ConsumeRequest]) -> tuple[grpc.StatusCode, str, str]:
    """How the daemon ends a stream of these requests, which stays open on the client's side."""
    ended = threading.Event()

    def send() -> Iterator[pb.ConsumeRequest]:
        yield from requests
        ended.wait(60)

    with daemon.api() as api, pytest.raises(grpc.RpcError) as caught:
        try:
            list(api.consume(send()))
        finally:
            ended.set()
    with daemon.api() as api:
        assert api.serving()
    return error_of(caught.value)


def start_frame(**fields: object) -> pb.ConsumeRequest:
    """A start for the default connection."""
    values: dict[str, object] = {"connection": pb.Connection(name="default"), "topics": ["t"], "group_id": "g"}
    return pb.ConsumeRequest(start=pb.Start(**{**values, **fields}))


@pytest.fixture
def daemon(start_sidecar: StartSidecar) -> Iterator[Sidecar]:
    """A daemon that must be alive and end in order whatever the test did."""
    daemon = start_sidecar()
    yield daemon
    with daemon.api() as api:
        assert api.serving()
    assert daemon.stop() == 0, daemon.process.tail()


def test_an_ack_before_start(daemon: Sidecar) -> None:
    code, message, reason = refused_stream(
        daemon, [pb.ConsumeRequest(ack=pb.Ack(ranges=[pb.DeliveryRange(first_id=1)]))])
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PROTOCOL_VIOLATION")
    assert "start" in message


def test_two_starts(daemon: Sidecar) -> None:
    code, message, reason = refused_stream(daemon, [start_frame(), start_frame()])
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert "start" in message


def test_an_empty_frame(daemon: Sidecar) -> None:
    code, _, reason = refused_stream(daemon, [pb.ConsumeRequest()])
    assert code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT)
    assert reason == "PROTOCOL_VIOLATION"


@pytest.mark.parametrize(("fields", "words"), [
    ({"topics": []}, ["topics"]),
    ({"group_id": ""}, ["group_id"]),
    ({"topics": [], "group_id": ""}, ["topics", "group_id"]),
    ({"connection": pb.Connection()}, ["bootstrap_servers"]),
    ({"connection": pb.Connection(name="default", bootstrap_servers="h:1")}, ["name"]),
    ({"failure_policy": pb.FailurePolicy(mode=pb.FAILURE_MODE_RETRY, max_retries=1001)}, ["max_retries"]),
])
def test_a_start_with_bad_parameters(daemon: Sidecar, fields: dict[str, object], words: list[str]) -> None:
    code, message, reason = refused_stream(daemon, [start_frame(**fields)])
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    for word in words:
        assert word in message


@pytest.mark.parametrize("properties", [
    {"plugin.library.paths": "/tmp/evil.so"}, {"ssl.engine.location": "/tmp/evil.so"}, {"debug": "all"},
    {"enable.auto.commit": "true"}, {"no.such.property": "1"}, {"ssl.ca.location": "/etc/passwd"}])
def test_a_refused_property_is_named(daemon: Sidecar, properties: dict[str, str]) -> None:
    code, message, reason = refused_stream(daemon, [start_frame(properties=properties)])
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PROPERTY_REFUSED")
    assert next(iter(properties)) in message


def test_an_unknown_connection_name(daemon: Sidecar) -> None:
    _, message, reason = refused_stream(daemon, [start_frame(connection=pb.Connection(name="nowhere"))])
    assert reason == "UNKNOWN_CONNECTION"
    assert "nowhere" in message
    assert "default" in message


@pytest.mark.parametrize("garbage", [b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", os.urandom(1000)])
def test_garbage_ends_that_call_alone(daemon: Sidecar, garbage: bytes) -> None:
    with daemon.api() as api:
        call = api.channel.stream_stream(f"{SERVICE}Consume")
        with pytest.raises(grpc.RpcError) as caught:
            list(call(iter([garbage])))
    assert caught.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL,
                                   grpc.StatusCode.FAILED_PRECONDITION)


def test_bytes_that_are_no_http2(daemon: Sidecar) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(daemon.socket))
        raw.sendall(b"GET / HTTP/1.0\r\n\r\n" + os.urandom(4096))
        raw.settimeout(10)
        while raw.recv(4096):
            pass


def test_an_unreachable_broker(daemon: Sidecar) -> None:
    port = free_ports(1)[0]
    connection = datapy_kafka.KafkaConnectionConfig(
        config_dict={}, bootstrap_servers=f"127.0.0.1:{port}", security_protocol="PLAINTEXT")
    with daemon.api() as api, pytest.raises(grpc.RpcError) as caught:
        api.check_connection(pb.Connection(bootstrap_servers=f"127.0.0.1:{port}"))
    code, message, reason = error_of(caught.value)
    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "BROKER_UNREACHABLE")
    assert f"127.0.0.1:{port}" in message
    # A job waits for its broker for as long as it is told to.
    with (datapy_kafka.connect(daemon.address, connection=connection, connect_timeout_s=1) as kafka,
          pytest.raises(datapy_kafka.BrokerUnreachable, match=f"127.0.0.1:{port}")):
        kafka.consume(topics=["t"], group_id="g", handler=lambda message: None)


def test_a_name_that_does_not_resolve(daemon: Sidecar) -> None:
    with daemon.api() as api, pytest.raises(grpc.RpcError) as caught:
        api.check_connection(pb.Connection(bootstrap_servers="kafka.does-not-exist.invalid:9092"))
    code, message, reason = error_of(caught.value)
    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "DNS_FAILURE")
    assert "kafka.does-not-exist.invalid" in message


def test_a_missing_topic_is_told_and_consumed_when_it_appears(
        kafka: KafkaCluster, daemon: Sidecar, unique: str) -> None:
    journal = Journal(unique)
    job = recorder(unique, journal, daemon.address, [unique], unique,
                   properties={"topic.metadata.refresh.interval.ms": "1000"})
    with job:
        wait_until(lambda: unique in job.process.text(), 30, "the job says which topic is missing")
        kafka.create_topic(unique, 2)
        produce_numbered(kafka.bootstrap_servers, unique, 100, 2)
        wait_until(lambda: journal.count("done") == 100, 60, "the records of the new topic are seen")
        wait_committed_to_end(kafka.bootstrap_servers, unique, unique)
        assert job.stop() == 0, job.process.tail()


def test_no_committed_offset_with_reset_none(kafka: KafkaCluster, daemon: Sidecar, unique: str) -> None:
    kafka.create_topic(unique)
    produce_numbered(kafka.bootstrap_servers, unique, 5, 1)
    _, message, reason = refused_stream(
        daemon, [start_frame(topics=[unique], group_id=unique, auto_offset_reset=pb.OFFSET_RESET_NONE)])
    assert reason == "NO_COMMITTED_OFFSET"
    assert unique in message


def test_producing_to_an_unknown_topic_names_it(daemon: Sidecar, unique: str) -> None:
    with daemon.api() as api:
        response = api.produce(pb.ProduceRequest(
            connection=pb.Connection(name="default"), topic=unique,
            rows=pb.ProduceRows(records=[pb.ProduceRow(value=b"x"), pb.ProduceRow(value=b"y")])))
    assert response.succeeded == 0
    assert list(response.offsets) == [-1, -1]
    assert [each.index for each in response.failures] == [0, 1]
    assert unique in response.failures[0].message


def test_an_oversized_record_fails_alone(kafka: KafkaCluster, daemon: Sidecar, unique: str) -> None:
    kafka.create_topic(unique)
    with daemon.api() as api:
        response = api.produce(pb.ProduceRequest(
            connection=pb.Connection(name="default"), topic=unique,
            rows=pb.ProduceRows(records=[pb.ProduceRow(value=b"x"), pb.ProduceRow(value=b"y" * (5 << 20)),
                                         pb.ProduceRow(value=b"z")])))
    assert response.succeeded == 2
    assert [(each.index, each.reason) for each in response.failures] == [(1, pb.ERROR_REASON_RECORD_TOO_LARGE)]
