"""What changes at a cluster while sessions run reaches the one that it concerns."""

from __future__ import annotations

import threading
from typing import Any

import datapy_kafka
import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from support.paths import wait_until
from support.kafka_security import USERS
from support.secured import RunMod, Secured, secrets_in
from support.verify import produce, wait_committed_to_end


class Session(threading.Thread):
    """A consume call in a thread of its own."""

    def __init__(self, connection: datapy_kafka.KafkaConnectionConfig, topic: str, group: str) -> None:
        super().__init__(daemon=True)
        self.controller = datapy_kafka.StreamController()
        self.values: list[Any] = []
        self.error: datapy_kafka.KafkaSidecarError | None = None
        self._options = {"topics": [topic], "group_id": group, "controller": self.controller}
        self._client = connection.client()
        self.start()

    def run(self) -> None:
        try:
            self._client.consume(handler=lambda message: self.values.append(message["value"]), **self._options)
        except datapy_kafka.KafkaSidecarError as error:
            self.error = error

    def end(self) -> None:
        """Stops it and waits."""
        self.controller.request_stop()
        self.join(60)
        assert not self.is_alive()


def test_a_session_whose_acl_is_taken_away_is_told(
        secured: Secured, connect: Any, unique: str) -> None:
    topic = secured.kafka.create_topic(unique)
    servers = secured.kafka.bootstrap_servers
    admin = secured.kafka.admin()
    secured.security.allow_only(admin, "alice", topic)
    session = Session(connect(secured.login("SASL_SSL")), topic, unique)
    produce(servers, topic, [{"value": b"1"}])
    wait_committed_to_end(servers, unique, topic)
    assert session.values == ["1"]
    deny = AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:alice", "*", AclOperation.ALL,
                      AclPermissionType.DENY)
    admin.create_acls([deny])[deny].result(30)
    session.join(60)
    try:
        assert not session.is_alive(), "the session was not told"
        assert isinstance(session.error, datapy_kafka.AuthenticationError), session.error
        assert topic in str(session.error)
        assert "ACL" in str(session.error)
        assert secrets_in(str(session.error)) == []
    finally:
        session.end()


def test_a_wrong_password_touches_no_other_session(
        secured: Secured, connect: Any, run_mod: RunMod, unique: str) -> None:
    topic = secured.kafka.create_topic(unique)
    servers = secured.kafka.bootstrap_servers
    good = connect(secured.login("SASL_SSL"))
    session = Session(good, topic, unique)
    try:
        produce(servers, topic, [{"value": b"1"}])
        wait_until(lambda: session.values == ["1"], 30, "the session runs")
        # The same user and cluster: a login is no part of another's.
        bad = datapy_kafka.KafkaConnectionConfig(
            config_dict={**good.config_dict, "sasl.password": "wrong-password-canary"})
        sent = run_mod("kafka_producer", {"connection": bad, "topic": topic, "data": {"n": 1}})
        assert (sent["status"], sent["exit_code"]) == ("error", 32), sent["errors"]
        read = run_mod("kafka_consumer", {
            "connection": bad, "topics": [topic], "group_id": f"{unique}-2", "message_processor": print,
            "controller": datapy_kafka.StreamController(), "connect_timeout_s": 20.0})
        assert (read["status"], read["exit_code"]) == ("error", 32), read["errors"]
        assert secrets_in(str(sent) + str(read)) == []
        produce(servers, topic, [{"value": b"2"}])
        wait_committed_to_end(servers, unique, topic)
        assert session.values == ["1", "2"]
    finally:
        session.end()
    assert session.error is None


def test_a_running_session_outlives_a_refused_login(
        secured: Secured, connect: Any, unique: str, caplog: pytest.LogCaptureFixture) -> None:
    if not secured.scram_works():
        return  # A session with SCRAM never begins here: test_connections.py shows what is said.
    topic = secured.kafka.create_topic(unique)
    servers = secured.kafka.bootstrap_servers
    admin = secured.kafka.admin()

    def set_password(password: str) -> None:
        information = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
        change = UserScramCredentialUpsertion("alice", information, password.encode())
        admin.alter_user_scram_credentials([change])["alice"].result(30)

    secured.security.allow_only(admin, "alice", topic)
    session = Session(connect(secured.login("SASL_SSL", "SCRAM-SHA-256")), topic, unique)
    try:
        produce(servers, topic, [{"value": b"1"}])
        wait_committed_to_end(servers, unique, topic)
        set_password("wrong-password-canary")
        # A connection that stands is not asked again: the broker comes back.
        secured.kafka.brokers[0].stop()
        secured.kafka.brokers[0].start()
        secured.kafka.wait_ready(60)
        # It may be a rotation that is half done: the job is told, and goes on when the login works again.
        wait_until(lambda: "check the user name and the password" in caplog.text, 60, "the job is told")
        assert session.is_alive()
    finally:
        set_password(USERS["alice"])
    produce(servers, topic, [{"value": b"2"}])
    wait_committed_to_end(servers, unique, topic, timeout_s=90)
    assert session.values == ["1", "2"]
    session.end()
    assert session.error is None
    assert secrets_in(caplog.text) == []
