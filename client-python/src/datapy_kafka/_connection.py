"""How a job says which Kafka cluster it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .v1 import sidecar_pb2 as pb

# Properties whose values nobody may see, and those that hold a secret besides.
_SECRET_WORDS = ("password", "secret", "token", "pem", "jaas", "key.location")
_PROTOCOLS: dict[str, Any] = {
    "PLAINTEXT": pb.SECURITY_PROTOCOL_PLAINTEXT,
    "SSL": pb.SECURITY_PROTOCOL_SSL,
    "SASL_PLAINTEXT": pb.SECURITY_PROTOCOL_SASL_PLAINTEXT,
    "SASL_SSL": pb.SECURITY_PROTOCOL_SASL_SSL,
}
_MECHANISMS: dict[str, Any] = {
    "PLAIN": pb.SASL_MECHANISM_PLAIN,
    "SCRAM-SHA-256": pb.SASL_MECHANISM_SCRAM_SHA_256,
    "SCRAM-SHA-512": pb.SASL_MECHANISM_SCRAM_SHA_512,
}
SECURITY_PROTOCOLS = tuple(_PROTOCOLS)
SASL_MECHANISMS = tuple(_MECHANISMS)

_OWN_KEYS = (
    "bootstrap.servers", "security.protocol", "sasl.mechanism", "sasl.username", "sasl.password",
    "ssl.ca.pem", "ssl.certificate.pem", "ssl.key.pem", "ssl.key.password",
)


def hide_secrets(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the properties with every secret replaced."""
    return {key: "[hidden]" if any(word in key for word in _SECRET_WORDS) else value
            for key, value in properties.items()}


class _SecretDict(dict[str, Any]):
    """librdkafka properties whose text shows no secret."""

    def __repr__(self) -> str:
        return repr(hide_secrets(self))

    __str__ = __repr__


@dataclass
class KafkaConnectionConfig:
    """A Kafka cluster and how to log in to it.

    `config_dict` holds librdkafka's property names; certificates and keys are
    in it as PEM text (`ssl.ca.pem`, `ssl.certificate.pem`, `ssl.key.pem`),
    because the daemon cannot open the job's files. A connection of the daemon's
    own configuration is named by `name` and needs nothing else.

    Its text and its repr show no secret. A pickle holds the secrets in clear,
    as it must to be of use: treat one as a password.
    """

    config_dict: dict[str, Any] = field(default_factory=dict)
    bootstrap_servers: str = ""
    security_protocol: str = "PLAINTEXT"
    name: str = ""
    address: str = ""
    """Where the daemon listens; "": where `connect` looks by default."""
    connect_timeout_s: float | None = None
    """How long calls wait for a daemon that does not answer; None: each its own way."""

    def __post_init__(self) -> None:
        if self.bootstrap_servers:
            self.config_dict.setdefault("bootstrap.servers", self.bootstrap_servers)
        else:
            self.bootstrap_servers = str(self.config_dict.get("bootstrap.servers", ""))
        self.security_protocol = str(
            self.config_dict.setdefault("security.protocol", self.security_protocol)).upper()
        self.config_dict = _SecretDict(self.config_dict)

    def __repr__(self) -> str:
        if self.name:
            return f"KafkaConnectionConfig(name={self.name!r})"
        return (f"KafkaConnectionConfig(bootstrap_servers={self.bootstrap_servers!r}, "
                f"security_protocol={self.security_protocol!r}, config_dict={self.config_dict!r})")

    __str__ = __repr__

    def producer(self, topic: str | None = None, **options: Any) -> Any:
        """Returns a producer for use inside a callback: see `Client.producer`."""
        return self.client().producer(topic, **options)

    def client(self) -> Any:
        """Returns a client of the daemon for this connection."""
        from ._client import connect

        return connect(self.address or None, connection=self,
                       connect_timeout_s=self.connect_timeout_s)

    def to_proto(self) -> pb.Connection:
        """Returns the connection as the API takes it."""
        if self.name:
            return pb.Connection(name=self.name)
        config = self.config_dict
        connection = pb.Connection(
            bootstrap_servers=self.bootstrap_servers,
            security_protocol=_PROTOCOLS.get(self.security_protocol),
            properties={key: _text(value) for key, value in config.items() if key not in _OWN_KEYS},
        )
        if self.security_protocol.startswith("SASL_"):
            connection.sasl.mechanism = _MECHANISMS.get(config.get("sasl.mechanism", "PLAIN"))
            connection.sasl.username = config.get("sasl.username", "")
            connection.sasl.password = config.get("sasl.password", "")
        if self.security_protocol.endswith("SSL"):
            connection.tls.ca_pem = config.get("ssl.ca.pem", "")
            connection.tls.certificate_pem = config.get("ssl.certificate.pem", "")
            connection.tls.private_key_pem = config.get("ssl.key.pem", "")
            connection.tls.private_key_password = config.get("ssl.key.password", "")
        return connection


def _text(value: Any) -> str:
    """Returns a property's value as librdkafka writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def text_properties(properties: Mapping[str, Any] | None) -> dict[str, str]:
    """Returns librdkafka properties with every value as text."""
    return {str(key): _text(value) for key, value in (properties or {}).items()}


def as_connection(connection: str | KafkaConnectionConfig) -> KafkaConnectionConfig:
    """Returns the connection itself, or the one of that name."""
    if isinstance(connection, str):
        return KafkaConnectionConfig(name=connection)
    return connection
