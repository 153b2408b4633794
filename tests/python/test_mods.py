"""The mods through the stand-in of the framework, as jobs use them."""

from __future__ import annotations

import logging
import pickle
import shutil
import signal
import sys
import threading
from pathlib import Path

import datapy_kafka
import grpc
import pytest
from conftest import Job
from datapy_kafka import _install
from datapy_kafka.v1 import sidecar_pb2 as pb
from fake_sidecar import Failure

STANDIN = Path(__file__).parent / "datapy_standin"


@pytest.fixture(scope="module")
def framework(tmp_path_factory):
    """The stand-in with our mods installed, importable as `datapy`."""
    root = tmp_path_factory.mktemp("framework")
    shutil.copytree(STANDIN, root, dirs_exist_ok=True)
    assert _install.run(root) == 0
    sys.path.insert(0, str(root))
    yield root
    sys.path.remove(str(root))
    for name in [one for one in sys.modules if one == "datapy" or one.startswith("datapy.")]:
        del sys.modules[name]


@pytest.fixture
def sdk(framework, sidecar, monkeypatch):
    monkeypatch.setenv("DATAPY_KAFKA_ADDRESS", sidecar.address)
    from datapy.mod_manager import sdk
    yield sdk
    sdk.clear_context()


@pytest.fixture
def connection(sdk):
    return sdk.run_mod("kafka_connector", {"bootstrap_servers": "b:9092"})["artifacts"]["connection"]


def test_connector_success_plaintext(sdk, sidecar):
    result = sdk.run_mod("kafka_connector", {"bootstrap_servers": "b1:9092,b2:9092"})
    assert (result["status"], result["exit_code"]) == ("success", 0)
    connection = result["artifacts"]["connection"]
    assert connection.bootstrap_servers == "b1:9092,b2:9092"
    assert connection.security_protocol == "PLAINTEXT"
    assert connection.config_dict["bootstrap.servers"] == "b1:9092,b2:9092"
    assert sidecar.checked[0].connection.bootstrap_servers == "b1:9092,b2:9092"


def test_connector_sasl_ssl_with_certs(sdk, sidecar, tmp_path):
    files = {}
    for name in ("ca", "cert", "key"):
        files[name] = tmp_path / f"{name}.pem"
        files[name].write_text(f"-----BEGIN {name}-----\n")
    result = sdk.run_mod("kafka_connector", {
        "bootstrap_servers": "b:9093", "security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_username": "u", "sasl_password": "canary-1", "ssl_ca_location": str(files["ca"]),
        "ssl_cert_location": str(files["cert"]), "ssl_key_location": str(files["key"]),
        "ssl_key_password": "canary-2", "additional_config": {"socket.keepalive.enable": True}})
    assert result["status"] == "success"
    sent = sidecar.checked[0].connection
    assert sent.security_protocol == pb.SECURITY_PROTOCOL_SASL_SSL
    assert (sent.sasl.mechanism, sent.sasl.username, sent.sasl.password) == (
        pb.SASL_MECHANISM_SCRAM_SHA_512, "u", "canary-1")
    assert sent.tls.ca_pem == "-----BEGIN ca-----\n" and sent.tls.private_key_password == "canary-2"
    assert dict(sent.properties) == {"socket.keepalive.enable": "true"}
    connection = result["artifacts"]["connection"]
    for text in (repr(connection), str(connection), f"{connection}", repr(connection.config_dict), repr(result)):
        assert "canary" not in text and "BEGIN" not in text
    again = pickle.loads(pickle.dumps(connection))
    assert again.to_proto() == connection.to_proto() and "canary" not in repr(again)


def test_connector_missing_credentials(sdk):
    result = sdk.run_mod("kafka_connector", {"bootstrap_servers": "b:9092", "security_protocol": "SASL_SSL"})
    assert (result["status"], result["exit_code"]) == ("error", 20)
    text = result["errors"][0]["message"]
    assert "sasl_username" in text and "sasl_password" in text


def test_connector_names_every_wrong_parameter(sdk):
    result = sdk.run_mod("kafka_connector", {
        "bootstrap_servers": "", "security_protocol": "TLS", "sasl_mechanism": "GSSAPI",
        "ssl_cert_location": "/c", "additional_config": ["x"]})
    text = result["errors"][0]["message"]
    for part in ("bootstrap_servers", "security_protocol", "'SASL_SSL'", "sasl_mechanism", "'SCRAM-SHA-256'",
                 "ssl_key_location", "additional_config"):
        assert part in text


def test_connector_by_name_needs_nothing_else(sdk, sidecar):
    result = sdk.run_mod("kafka_connector", {"connection_name": "default"})
    assert result["status"] == "success"
    assert sidecar.checked[0].connection == pb.Connection(name="default")
    both = sdk.run_mod("kafka_connector", {"connection_name": "default", "sasl_password": "canary"})
    assert both["exit_code"] == 20 and "canary" not in both["errors"][0]["message"]


@pytest.mark.parametrize("content", [None, "no pem", b"\xff\xfe"])
def test_connector_bad_certificate_is_33(sdk, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = sdk.run_mod("kafka_connector", {"bootstrap_servers": "b:1", "security_protocol": "SSL",
                                             "ssl_ca_location": str(path)})
    assert result["exit_code"] == 33 and str(path) in result["errors"][0]["message"]


@pytest.mark.parametrize("code, reason, number", [
    ("UNAVAILABLE", "BROKER_UNREACHABLE", 31), ("UNAVAILABLE", "DNS_FAILURE", 31),
    ("UNAUTHENTICATED", "AUTHENTICATION_FAILED", 32), ("UNAUTHENTICATED", "SASL_MECHANISM_UNSUPPORTED", 32),
    ("PERMISSION_DENIED", "AUTHORIZATION_FAILED", 32), ("FAILED_PRECONDITION", "TLS_HANDSHAKE_FAILED", 33),
    ("FAILED_PRECONDITION", "TLS_MATERIAL_INVALID", 33), ("DEADLINE_EXCEEDED", "TIMED_OUT", 34),
    ("INVALID_ARGUMENT", "PROPERTY_REFUSED", 20), ("INTERNAL", "INTERNAL", 30),
])
def test_connector_error_codes(sdk, sidecar, caplog, code, reason, number):
    sidecar.check_failure = Failure(grpc.StatusCode[code], "the cause", reason)
    result = sdk.run_mod("kafka_connector", {"bootstrap_servers": "b:1"})
    assert result["exit_code"] == number and "the cause" in result["errors"][0]["message"]
    assert [one.message for one in caplog.records if one.levelno == logging.ERROR] == ["the cause"]


def test_connector_without_a_daemon_is_31(sdk, sidecar):
    sidecar.stop()
    result = sdk.run_mod("kafka_connector", {"bootstrap_servers": "b:1", "connect_timeout_s": 0.2})
    assert result["exit_code"] == 31 and sidecar.address in result["errors"][0]["message"]


def test_a_placeholder_without_context_is_refused(sdk, connection):
    result = sdk.run_mod("kafka_connector", {"bootstrap_servers": "${kafka.servers}"})
    assert result["exit_code"] == 20 and "setup_context" in result["errors"][0]["message"]
    result = sdk.run_mod("kafka_consumer", {"connection": connection, "topics": ["${t}"], "group_id": "g",
                                            "message_processor": print})
    assert result["exit_code"] == 20 and "${t}" in result["errors"][0]["message"]
    result = sdk.run_mod("kafka_producer", {"connection": connection, "topic": "${t}", "data": {}})
    assert result["exit_code"] == 20


def _consume(sdk, connection, processor, **more):
    return Job(lambda: sdk.run_mod("kafka_consumer", {
        "connection": connection, "topics": ["orders"], "group_id": "g", "message_processor": processor, **more}))


def test_consumer_processes_messages(sdk, sidecar, connection):
    controller, seen = datapy_kafka.StreamController(), []
    with controller:
        job = _consume(sdk, connection, lambda m: seen.append((m["value"], threading.current_thread())),
                       controller=controller)
        call = sidecar.next_call()
        call.started()
        call.send_records("orders", 0, 0, ["a", "${kafka.password}"])
        call.acked(2)
        controller.request_stop()
        call.expect_end()
        call.finish(committed=[pb.PartitionOffset(topic="orders", partition=0, offset=2)])
        result = job.result()
    assert [one[0] for one in seen] == ["a", "${kafka.password}"] and {one[1] for one in seen} == {job}
    assert (result["status"], result["exit_code"]) == ("success", 0)
    metrics = result["metrics"]
    assert metrics["messages_processed"] == 2 and metrics["clean_shutdown"] is True
    assert metrics["committed_offsets"] == {"orders[0]": 2} and metrics["duration_s"] >= 0


def test_consumer_policy_stop_is_an_error_result(sdk, sidecar, connection):
    job = _consume(sdk, connection, lambda m: {"status": "error", "error": "poison"}, on_error="stop")
    call = sidecar.next_call()
    call.started()
    call.send_records("orders", 0, 5, ["a"])
    call.acks(1)
    call.drain(pb.STOP_REASON_POLICY)
    call.expect_end()
    call.finish(pb.STOP_REASON_POLICY, message="orders[0] at offset 5: poison")
    result = job.result()
    assert result["status"] == "error" and 30 <= result["exit_code"] <= 34
    assert "poison" in result["errors"][0]["message"] and result["metrics"]["messages_failed"] == 1


def test_consumer_refuses_what_is_not_there_yet(sdk, connection):
    result = _consume(sdk, connection, print, commit_strategy="periodic", on_error="die").result()
    assert result["exit_code"] == 20 and "later version" in result["errors"][0]["message"]
    result = _consume(sdk, {"bootstrap.servers": "x"}, print).result()
    assert result["exit_code"] == 20 and "kafka_connector" in result["errors"][0]["message"]


def test_consumer_graceful_shutdown_on_sigterm_restores_handlers(sdk, sidecar, connection):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    def daemon():
        call = sidecar.next_call()
        call.started()
        call.send_records("orders", 0, 0, ["a", "b"])
        kinds = call.expect_end()
        call.finish()
        return kinds

    side = Job(daemon)
    result = sdk.run_mod("kafka_consumer", {
        "connection": connection, "topics": ["orders"], "group_id": "g",
        "message_processor": lambda m: signal.raise_signal(signal.SIGTERM)})
    assert sorted(side.result()) == ["ack", "stop"]
    assert result["status"] == "success" and result["metrics"]["messages_processed"] == 1
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_producer_sends_and_counts(sdk, sidecar, connection):
    result = sdk.run_mod("kafka_producer", {"connection": connection, "topic": "out", "key_column": "id",
                                            "data": [{"id": 1, "x": "ü"}, {"id": None, "x": None}],
                                            "headers": {"source": "datapy"}})
    assert result["status"] == "success"
    assert result["metrics"]["messages_sent"] == 2 and result["metrics"]["messages_failed"] == 0
    request = sidecar.produced[0]
    assert list(request.columns.values) == ['{"id":1,"x":"ü"}', '{"id":null,"x":null}']
    assert list(request.columns.keys) == ["1", ""] and list(request.columns.null_keys) == [1]
    assert request.headers[0].name == "source" and request.mode == pb.PRODUCE_MODE_DELIVERED


@pytest.mark.parametrize("on_send_error, status", [("raise", "error"), ("log", "warning")])
def test_producer_names_each_failed_record(sdk, sidecar, connection, on_send_error, status):
    sidecar.on_produce = lambda request: pb.ProduceResponse(succeeded=1, failures=[
        pb.ProduceFailure(index=1, reason=pb.ERROR_REASON_RECORD_TOO_LARGE, message="too large")])
    result = sdk.run_mod("kafka_producer", {"connection": connection, "topic": "out", "data": [{}, {}],
                                            "on_send_error": on_send_error})
    assert result["status"] == status and result["metrics"]["messages_failed"] == 1
    told = result["errors"] if status == "error" else result["warnings"]
    assert told[0]["message"] == "out, record 1: too large (RECORD_TOO_LARGE)"


def test_producer_warns_once_at_a_high_rate(sdk, connection, caplog):
    from datapy.mods.streaming import kafka_producer
    kafka_producer._rate.__init__()
    for _ in range(250):
        sdk.run_mod("kafka_producer", {"connection": connection, "topic": "out", "data": {}})
    assert len([one for one in caplog.records if "high rate" in one.message]) == 1


def test_the_connections_producer_leaves_payloads_alone(sdk, sidecar, connection):
    result = connection.producer("out").send({"x": "${kafka.password}"}, key="k", headers={"h": 1})
    assert result.sent == 1
    columns = sidecar.produced[0].columns
    assert list(columns.values) == ['{"x":"${kafka.password}"}'] and list(columns.keys) == ["k"]
    assert columns.headers[0].headers[0].value == b"1"


def test_mods_leak_no_logging_filters(sdk, connection):
    logger = logging.getLogger("datapy.mods.streaming.kafka_producer")
    before = len(logger.filters)
    for _ in range(5):
        sdk.run_mod("kafka_producer", {"connection": connection, "topic": "out", "data": {}})
    assert len(logger.filters) == before
