"""No secret leaves the daemon: not by its logs, its answers, its process."""

from __future__ import annotations

import json
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import datapy_kafka
import pytest
from support.certs import KEY_PASSWORD
from support.kafka_security import USERS
from support.secured import Secured, secrets_in
from support.sidecar import Sidecar


def configuration(secured: Secured, folder: Path) -> tuple[Path, dict[str, str]]:
    """A configuration with two connections: secrets in the environment and in files."""
    password = folder / "password"
    password.write_text(USERS["bob"] + "\n")
    client = secured.security.client
    key_password = folder / "key-password"
    key_password.write_text(KEY_PASSWORD)
    ca = {"file": str(secured.security.ca)}
    login = {"bootstrap_servers": {"value": secured.kafka.address("SASL_SSL")}, "security_protocol": "SASL_SSL",
             "ssl_ca": ca}
    path = folder / "sidecar.json"
    path.write_text(json.dumps({"connections": {
        "by-env": {**login, "sasl_username": {"value": "alice"}, "sasl_password": {"env": "ALICE_PASSWORD"}},
        "by-file": {**login, "sasl_username": {"value": "bob"}, "sasl_password": {"file": "password"}},
        "mutual": {"bootstrap_servers": {"value": secured.kafka.address("MTLS")}, "security_protocol": "SSL",
                   "ssl_ca": ca, "ssl_certificate": {"file": str(client.certificate)},
                   "ssl_key": {"file": str(client.encrypted_key)}, "ssl_key_password": {"file": str(key_password)}},
    }}))
    return path, {"ALICE_PASSWORD": USERS["alice"]}


@pytest.fixture
def configured(secured: Secured, tmp_path: Path, unique: str, cleanup: ExitStack) -> Sidecar:
    """A daemon with that configuration, which logs all it can."""
    path, environment = configuration(secured, tmp_path)
    return cleanup.enter_context(Sidecar(unique, None, [f"--config={path}", "--log_level=debug"], environment))


@pytest.mark.parametrize("name", ["by-env", "by-file", "mutual"])
def test_a_named_connection_needs_no_secret_in_the_job(
        secured: Secured, configured: Sidecar, framework: Any, monkeypatch: pytest.MonkeyPatch, unique: str,
        name: str) -> None:
    monkeypatch.setenv("DATAPY_KAFKA_ADDRESS", configured.address)
    result = framework("kafka_connector", {"connection_name": name})
    assert result["status"] == "success", result["errors"]
    topic = secured.kafka.create_topic(unique)
    sent = framework("kafka_producer", {"connection": result["artifacts"]["connection"], "topic": topic,
                                        "data": {"n": 1}})
    assert sent["status"] == "success", sent["errors"]
    assert secrets_in(configured.text() + str(configured.status()) + str(result) + str(sent)) == []
    # The environment holds what it was given; the command line nothing.
    process = Path("/proc") / str(configured.process.pid)
    assert secrets_in((process / "cmdline").read_text()) == []
    assert secrets_in((process / "environ").read_text()) == [USERS["alice"]]


def test_an_unknown_name_is_a_bad_parameter(
        configured: Sidecar, framework: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAPY_KAFKA_ADDRESS", configured.address)
    result = framework("kafka_connector", {"connection_name": "nowhere"})
    assert (result["status"], result["exit_code"]) == ("error", 20), result["errors"]
    assert "nowhere" in result["errors"][0]["message"]


def test_the_environment_makes_the_default_connection(secured: Secured, unique: str, cleanup: ExitStack) -> None:
    # The documents' manifest: servers, a user, a password; TLS unless told otherwise.
    daemon = cleanup.enter_context(Sidecar(unique, secured.kafka.address("SASL_SSL"), ["--log_level=debug"], {
        "KAFKA_USERNAME": "alice", "KAFKA_PASSWORD": USERS["alice"],
        "KAFKA_SSL_CA_LOCATION": str(secured.security.ca)}))
    with datapy_kafka.connect(daemon.address) as kafka:
        assert kafka.check_connection().broker_count == 1
    assert secrets_in(daemon.text() + str(daemon.status())) == []


def test_metrics_status_and_errors_show_no_secret(
        secured: Secured, connect: Any, run_mod: Any, metrics_address: str, unique: str) -> None:
    topic = secured.kafka.create_topic(unique)
    connection = connect(secured.login("SASL_SSL"))
    sent = run_mod("kafka_producer", {"connection": connection, "topic": topic, "data": {"n": 1}})
    assert sent["status"] == "success", sent["errors"]
    with urllib.request.urlopen(f"http://{metrics_address}/metrics", timeout=10) as answer:
        metrics = answer.read().decode()
    assert "datapy_kafka" in metrics
    assert secrets_in(metrics) == []
    assert secrets_in(repr(connection) + str(connection) + str(secured.daemon.status())) == []


def test_a_crash_leaves_no_core_with_secrets(secured: Secured) -> None:
    limits = (Path("/proc") / str(secured.daemon.process.pid) / "limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


def test_a_secret_in_the_configuration_file_is_refused(
        secured: Secured, tmp_path: Path, unique: str, cleanup: ExitStack) -> None:
    path = tmp_path / "sidecar.json"
    path.write_text(json.dumps({"connections": {"x": {
        "bootstrap_servers": {"value": secured.kafka.address("SASL_SSL")}, "security_protocol": "SASL_SSL",
        "sasl_username": {"value": "alice"}, "sasl_password": {"value": USERS["alice"]}}}}))
    daemon = Sidecar(unique, None, [f"--config={path}"])
    cleanup.callback(daemon.close)
    assert daemon.launch().wait(20) == 2
    assert "sasl_password" in daemon.text()
    assert secrets_in(daemon.text()) == []
