"""What goes wrong at a secured cluster is told apart: the code, the reason, the cause."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import datapy_kafka
import pytest
from support.paths import free_ports
from support.secured import RunMod, Secured, secrets_in

# The most that a check takes; far below it is usual.
BOUND_S = 12.0


class Failures:
    """The connector's parameters of each failure."""

    def __init__(self, secured: Secured, folder: Path) -> None:
        self._secured = secured
        self._folder = folder

    def unreachable(self) -> dict[str, Any]:
        return {"bootstrap_servers": f"127.0.0.1:{free_ports(1)[0]}"}

    def dns(self) -> dict[str, Any]:
        return {"bootstrap_servers": "no-such-host.invalid:9092"}

    def wrong_password(self) -> dict[str, Any]:
        return self._secured.login("SASL_PLAINTEXT", password="wrong-password-canary")

    def wrong_password_tls(self) -> dict[str, Any]:
        return self._secured.login("SASL_SSL", password="wrong-password-canary")

    def wrong_password_scram(self) -> dict[str, Any]:
        return self._secured.login("SASL_SSL", "SCRAM-SHA-512", password="wrong-password-canary")

    def unknown_user(self) -> dict[str, Any]:
        return self._secured.login("SASL_SSL") | {"sasl_username": "nobody"}

    def mechanism(self) -> dict[str, Any]:
        return self._secured.login("SASL_SCRAM_ONLY")

    def unknown_ca(self) -> dict[str, Any]:
        return self._secured.tls(ca=self._secured.security.other_authority.certificate)

    def expired(self) -> dict[str, Any]:
        return self._secured.tls("EXPIRED")

    def wrong_host(self) -> dict[str, Any]:
        return self._secured.tls("WRONG_HOST")

    def client_certificate_missing(self) -> dict[str, Any]:
        return self._secured.tls("MTLS")

    def client_certificate_untrusted(self) -> dict[str, Any]:
        stranger = self._secured.security.other_authority.issue("stranger")
        return self._secured.tls("MTLS", certificate=stranger.certificate, key=stranger.key)

    def among_dead_addresses(self) -> dict[str, Any]:
        parameters = self._secured.tls("MTLS")
        dead = [f"127.0.0.1:{port}" for port in free_ports(8)]
        return parameters | {"bootstrap_servers": ",".join([parameters["bootstrap_servers"], *dead])}

    def plaintext_to_tls(self) -> dict[str, Any]:
        return self._secured.plaintext("SSL")

    def tls_to_plaintext(self) -> dict[str, Any]:
        return self._secured.tls("PLAINTEXT")

    def sasl_to_sasl_ssl(self) -> dict[str, Any]:
        return self._secured.login("SASL_SSL") | {"security_protocol": "SASL_PLAINTEXT", "ssl_ca_location": None}

    def key_password(self) -> dict[str, Any]:
        client = self._secured.security.client
        return self._secured.tls("MTLS", certificate=client.certificate, key=client.encrypted_key,
                                 key_password="wrong-password-canary")

    def key_of_another(self) -> dict[str, Any]:
        client = self._secured.security.client
        return self._secured.tls("MTLS", certificate=client.certificate,
                                 key=self._secured.security.authority.issue("another").key)

    def file_missing(self) -> dict[str, Any]:
        return self._secured.tls(ca=self._folder / "no-such.pem")

    def file_unreadable(self) -> dict[str, Any]:
        # A folder: root, who may run the tests, can read every file.
        return self._secured.tls(ca=self._folder)

    def file_no_pem(self) -> dict[str, Any]:
        path = self._folder / "text.pem"
        path.write_text("no certificate\n")
        return self._secured.tls(ca=path)

    def file_broken_pem(self) -> dict[str, Any]:
        path = self._folder / "broken.pem"
        path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        return self._secured.tls(ca=path)


# Name, code, words of the message.
CASES: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("unreachable", 31, ("127.0.0.1:", "refused", "check bootstrap_servers")),
    ("dns", 31, ("no-such-host.invalid", "resolve", "check the host names")),
    ("wrong_password", 32, ("localhost:", "check the user name and the password")),
    ("wrong_password_tls", 32, ("localhost:", "check the user name and the password")),
    ("wrong_password_scram", 32, ("localhost:", "check the user name and the password")),
    ("unknown_user", 32, ("check the user name and the password",)),
    ("mechanism", 32, ("SASL mechanism", "SCRAM-SHA-256")),
    ("unknown_ca", 33, ("certificate verify failed", "unknown CA", "give the CA certificate")),
    ("expired", 33, ("has expired",)),
    ("wrong_host", 33, ("does not name this host",)),
    ("client_certificate_missing", 33, ("certificate",)),
    ("client_certificate_untrusted", 33, ("certificate",)),
    ("among_dead_addresses", 33, ("certificate",)),
    ("plaintext_to_tls", 33, ("security_protocol", "listener")),
    ("tls_to_plaintext", 33, ("security_protocol", "listener")),
    ("sasl_to_sasl_ssl", 33, ("security_protocol", "listener")),
    ("key_password", 33, ("key", "password")),
    ("key_of_another", 33, ("key",)),
    ("file_missing", 33, ("ssl_ca_location", "no-such.pem", "No such file")),
    ("file_unreadable", 33, ("ssl_ca_location", "cannot be used")),
    ("file_no_pem", 33, ("ssl_ca_location", "text.pem", "no PEM block")),
    ("file_broken_pem", 33, ("ssl.ca.pem", "PEM")),
)


@pytest.mark.parametrize(("name", "code", "words"), CASES, ids=[case[0] for case in CASES])
def test_the_connector_names_the_cause(
        secured: Secured, run_mod: RunMod, tmp_path: Path, name: str, code: int, words: tuple[str, ...]) -> None:
    parameters = getattr(Failures(secured, tmp_path), name)()
    began = time.monotonic()
    result = run_mod("kafka_connector", parameters)
    took = time.monotonic() - began
    message = result["errors"][0]["message"]
    print(f"{name}: {took:.1f} s, {result['exit_code']}: {message}")
    assert (result["status"], result["exit_code"]) == ("error", code), message
    assert [word for word in words if word.lower() not in message.lower()] == [], message
    assert secrets_in(str(result)) == []
    assert took < BOUND_S


def test_a_broker_that_is_silent_is_a_timeout(run_mod: RunMod, secured: Secured) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        result = run_mod("kafka_connector", {
            "bootstrap_servers": f"127.0.0.1:{silent.getsockname()[1]}", "connect_timeout_s": 2.0})
    assert (result["status"], result["exit_code"]) == ("error", 34), result["errors"]
    assert "2s" in result["errors"][0]["message"]


def test_bad_parameters_are_named_all_at_once(run_mod: RunMod) -> None:
    result = run_mod("kafka_connector", {
        "bootstrap_servers": " ", "security_protocol": "TLS", "sasl_mechanism": "GSSAPI",
        "ssl_cert_location": "/c.pem", "connect_timeout_s": 900.0})
    message = result["errors"][0]["message"]
    assert result["exit_code"] == 20
    for word in ("bootstrap_servers", "'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'", "SCRAM-SHA-512", "'GSSAPI'",
                 "ssl_key_location", "connect_timeout_s"):
        assert word in message
    missing = run_mod("kafka_connector", {"bootstrap_servers": "b:1", "security_protocol": "SASL_SSL"})
    assert missing["exit_code"] == 20
    assert "sasl_username" in missing["errors"][0]["message"]
    assert "sasl_password" in missing["errors"][0]["message"]


@pytest.mark.parametrize(("name", "value"), [
    ("plugin.library.paths", "/tmp/x.so"), ("ssl.ca.location", "/etc/passwd"), ("ssl.engine.location", "/tmp/x.so"),
    ("sasl.kerberos.kinit.cmd", "id"), ("no.such.property", "1")])
def test_properties_that_load_code_or_open_files_are_refused(
        secured: Secured, run_mod: RunMod, name: str, value: str) -> None:
    result = run_mod("kafka_connector", {**secured.tls(), "additional_config": {name: value}})
    assert result["exit_code"] == 20, result["errors"]
    assert name in result["errors"][0]["message"]


def test_an_acl_refuses_who_may_not(secured: Secured, run_mod: RunMod, connect: Any, unique: str) -> None:
    topic = secured.kafka.create_topic(unique)
    secured.security.allow_only(secured.kafka.admin(), "alice", topic)
    alice, bob = connect(secured.login("SASL_SSL")), connect(secured.login("SASL_SSL", user="bob"))
    sent = run_mod("kafka_producer", {"connection": alice, "topic": topic, "data": {"n": 1}})
    assert sent["status"] == "success", sent["errors"]

    refused = run_mod("kafka_producer", {"connection": bob, "topic": topic, "data": {"n": 1}})
    assert (refused["status"], refused["exit_code"]) == ("error", 32), refused["errors"]
    assert topic in str(refused["errors"])
    assert "ACL" in str(refused["errors"])

    with datapy_kafka.StreamController() as controller:
        read = run_mod("kafka_consumer", {"connection": bob, "topics": [topic], "group_id": unique,
                                          "message_processor": print, "controller": controller,
                                          "connect_timeout_s": 20.0})
    assert (read["status"], read["exit_code"]) == ("error", 32), read["errors"]
    assert topic in str(read["errors"])
    assert secrets_in(str(refused) + str(read)) == []
