"""A secured cluster with a daemon, seen through the mods as a job sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from datapy_kafka.v1 import sidecar_pb2 as pb

from support.certs import KEY_PASSWORD
from support.kafka import KafkaCluster
from support.kafka_security import MECHANISMS, USERS, Security
from support.sidecar import Sidecar

Result = dict[str, Any]
RunMod = Callable[..., Result]
# What nobody may read in a log, an error or a status.
CANARIES = (*USERS.values(), KEY_PASSWORD, "wrong-password-canary", "BEGIN PRIVATE", "BEGIN ENCRYPTED")
# The first librdkafka whose SCRAM Kafka 4.x accepts.
SCRAM_FIXED = (2, 6, 1)


def secrets_in(text: str) -> list[str]:
    """The canaries that occur in a text."""
    return [canary for canary in CANARIES if canary in text]


class Secured:
    """What the tests of secured connections need."""

    def __init__(self, kafka: KafkaCluster, daemon: Sidecar) -> None:
        self.kafka = kafka
        self.daemon = daemon
        assert kafka.security is not None
        self.security: Security = kafka.security

    def login(self, listener: str, mechanism: str = "PLAIN", user: str = "alice", password: str | None = None) -> Result:
        """The connector's parameters for a listener with SASL."""
        parameters = {
            "bootstrap_servers": self.kafka.address(listener),
            "security_protocol": self.security.listeners[listener],
            "sasl_mechanism": mechanism, "sasl_username": user,
            "sasl_password": USERS[user] if password is None else password,
        }
        if listener == "SASL_SSL":
            parameters["ssl_ca_location"] = str(self.security.ca)
        return parameters

    def tls(self, listener: str = "SSL", ca: Path | None = None, certificate: Path | None = None,
            key: Path | None = None, key_password: str | None = None) -> Result:
        """The connector's parameters for a listener with TLS alone."""
        parameters = {"bootstrap_servers": self.kafka.address(listener), "security_protocol": "SSL",
                      "ssl_ca_location": str(ca or self.security.ca)}
        if certificate is not None:
            parameters |= {"ssl_cert_location": str(certificate), "ssl_key_location": str(key)}
        if key_password is not None:
            parameters["ssl_key_password"] = key_password
        return parameters

    def plaintext(self, listener: str = "PLAINTEXT") -> Result:
        """The connector's parameters for any listener, without security."""
        return {"bootstrap_servers": self.kafka.address(listener)}

    def ways(self) -> dict[str, Result]:
        """Every way to connect that works, by its name."""
        client = self.security.client
        return {
            "PLAINTEXT": self.plaintext(),
            **{f"{listener} {mechanism}": self.login(listener, mechanism)
               for listener in ("SASL_PLAINTEXT", "SASL_SSL") for mechanism in MECHANISMS},
            "SSL": self.tls(),
            "mutual TLS": self.tls("MTLS", certificate=client.certificate, key=client.key),
            "certificate chain": self.tls("MTLS", certificate=self.security.chained_client.certificate,
                                          key=self.security.chained_client.key),
            "encrypted key": self.tls("MTLS", certificate=client.certificate, key=client.encrypted_key,
                                      key_password=KEY_PASSWORD),
        }

    def scram_works(self) -> bool:
        """Whether the daemon's library and this broker understand each other's SCRAM."""
        plain = pb.Connection(bootstrap_servers=self.kafka.bootstrap_servers,
                              security_protocol=pb.SECURITY_PROTOCOL_PLAINTEXT)
        with self.daemon.api() as api:
            version = api.check_connection(plain).librdkafka_version
        return int(self.kafka.version.split(".")[0]) < 4 or tuple(map(int, version.split("."))) >= SCRAM_FIXED
