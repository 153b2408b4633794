"""What the DataPy mods do; the files in datapy_tree only declare and call it."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ._client import Client
from ._address import default_address, shared_stub
from ._connection import SASL_MECHANISMS, SECURITY_PROTOCOLS, KafkaConnectionConfig
from ._errors import InvalidArgument, KafkaSidecarError, TlsError
from ._options import is_number, one_of, show
from ._results import ConsumeResult, ProduceResult
from ._session import Log

_PLACEHOLDER = re.compile(r"\$\{[^}]+\}")
_FILES = {"ssl_ca_location": "ssl.ca.pem", "ssl_cert_location": "ssl.certificate.pem",
          "ssl_key_location": "ssl.key.pem"}
_TEXTS = ("bootstrap_servers", "security_protocol", "sasl_mechanism", "sasl_username",
          "sasl_password", *_FILES, "ssl_key_password", "connection_name")
_RATE_CALLS, _RATE_SECONDS = 100, 2.0


def run_guarded(result: Any, log: Log, work: Callable[[], Any]) -> Any:
    """Returns what `work` returns; an error is logged and becomes the mod's error result."""
    try:
        return work()
    except KafkaSidecarError as error:
        text, code = str(error) or type(error).__name__, error.code
    except Exception as error:
        text, code = f"unexpected {type(error).__name__}: {error}", 30
    log.error("%s", text)
    result.add_error(text, code)
    return result.error(code)


def reject_placeholders(params: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    """Names the parameters that still hold `${…}`: the framework had no context for them."""
    found = []
    for name in names:
        values = params.get(name)
        for value in values if isinstance(values, (list, tuple)) else [values]:
            if isinstance(value, str) and (hit := _PLACEHOLDER.search(value)):
                found.append(f"{name} still holds {hit.group()}: no context replaced it; call "
                             "setup_context() with a file that has this name before run_mod()")
    return found


def _invalid(found: list[str]) -> None:
    if found:
        raise InvalidArgument("; ".join(found), reason="INVALID_ARGUMENT")


def connection_of(params: Mapping[str, Any]) -> KafkaConnectionConfig:
    """Returns the connection that the kafka_connector's parameters describe.

    Raises:
        InvalidArgument: parameters are wrong; the text names all of them.
        TlsError: a certificate or key cannot be read.
    """
    found = reject_placeholders(params, _TEXTS)
    for name in _TEXTS:
        if not isinstance(params.get(name) or "", str):
            found.append(f"{name} must be a text, not {type(params[name]).__name__}")
    _invalid(found)
    given = {name: params.get(name) or "" for name in _TEXTS}
    extra = params.get("additional_config") or {}
    if given["connection_name"]:
        for name in _TEXTS:
            # Those two have defaults, which the framework fills in.
            if given[name] and name not in ("connection_name", "security_protocol", "sasl_mechanism"):
                found.append(f"{name} and connection_name exclude each other: the sidecar's "
                             "configuration holds the named connection")
        _invalid(found)
        return KafkaConnectionConfig(name=given["connection_name"])
    protocol = given["security_protocol"] or "PLAINTEXT"
    mechanism = given["sasl_mechanism"] or "PLAIN"
    if not given["bootstrap_servers"].strip():
        found.append("bootstrap_servers must be host:port, comma-separated, unless connection_name is given")
    if protocol not in SECURITY_PROTOCOLS:
        found.append(f"security_protocol must be {one_of(SECURITY_PROTOCOLS)}, not {show(protocol)}")
    if mechanism not in SASL_MECHANISMS:
        found.append(f"sasl_mechanism must be {one_of(SASL_MECHANISMS)}, not {show(mechanism)}")
    if protocol.startswith("SASL_"):
        found.extend(f"{name} is required by security_protocol {protocol}"
                     for name in ("sasl_username", "sasl_password") if not given[name])
    if bool(given["ssl_cert_location"]) != bool(given["ssl_key_location"]):
        found.append("ssl_cert_location and ssl_key_location go together: mutual TLS needs both")
    if given["ssl_key_password"] and not given["ssl_key_location"]:
        found.append("ssl_key_password goes with ssl_key_location")
    if not isinstance(extra, Mapping) or not all(isinstance(key, str) for key in extra):
        found.append("additional_config must be a dict of librdkafka properties")
    if not is_number(params.get("connect_timeout_s", 10.0), 0.001, 60):
        found.append(f"connect_timeout_s must be seconds up to 60, not {show(params.get('connect_timeout_s'))}")
    _invalid(found)
    config: dict[str, Any] = {"bootstrap.servers": given["bootstrap_servers"], "security.protocol": protocol}
    if protocol.startswith("SASL_"):
        config |= {"sasl.mechanism": mechanism, "sasl.username": given["sasl_username"],
                   "sasl.password": given["sasl_password"]}
    if protocol.endswith("SSL"):
        config |= {target: _read_pem(name, given[name]) for name, target in _FILES.items() if given[name]}
        if given["ssl_key_password"]:
            config["ssl.key.password"] = given["ssl_key_password"]
    config.update(extra)
    return KafkaConnectionConfig(config_dict=config)


def _read_pem(name: str, path: str) -> str:
    try:
        text = Path(path).read_text(encoding="ascii")
    except OSError as error:
        problem = f"{error.strerror or error}"
    except UnicodeDecodeError:
        problem = "it is no PEM text; convert it with openssl"
    else:
        if "-----BEGIN " in text:
            return text
        problem = "it holds no PEM block (-----BEGIN …)"
    raise TlsError(f"{name}: {path} cannot be used: {problem}", reason="TLS_MATERIAL_INVALID",
                   metadata={"file": path})


def check(connection: KafkaConnectionConfig, timeout_s: float) -> Any:
    """Checks the connection through the daemon and returns its answer."""
    return client_of(connection, timeout_s).check_connection(timeout_s)


def client_of(connection: Any, connect_timeout_s: float | None = None, log: Log | None = None) -> Client:
    """Returns a client for a connection that kafka_connector made."""
    if not isinstance(connection, KafkaConnectionConfig):
        raise InvalidArgument("connection must be the artifact \"connection\" of kafka_connector, "
                              f"not {type(connection).__name__}", reason="INVALID_ARGUMENT")
    return Client(shared_stub(connection.address or default_address()), connection, connect_timeout_s, log)


def consume(params: Mapping[str, Any], log: Log) -> ConsumeResult:
    """Runs the kafka_consumer mod."""
    found = reject_placeholders(params, ("topics", "group_id"))
    strategy = params.get("commit_strategy") or "per_message"
    if strategy != "per_message":
        found.append(f"commit_strategy must be 'per_message', not {show(strategy)}: "
                     "batch and periodic commits are planned for a later version")
    single: Any = params.get("message_processor")
    batch: Any = params.get("batch_processor")
    if (single is None) == (batch is None):
        found.append("give one of message_processor and batch_processor: a function of one argument")
    _invalid(found)
    options = {name: params[name] for name in (
        "topics", "group_id", "auto_offset_reset", "on_error", "max_retries", "retry_backoff_ms",
        "controller", "shutdown_drain_timeout_s", "ack_timeout_s", "max_in_flight",
        "max_in_flight_bytes", "log_summary_interval", "log_message_details") if params.get(name) is not None}
    client = client_of(params.get("connection"), params.get("connect_timeout_s"), log)
    return client.consume(handler=batch if single is None else single, batch=single is None,
                          properties=params.get("additional_consumer_config") or None, **options)


def produce(params: Mapping[str, Any], log: Log) -> ProduceResult:
    """Runs the kafka_producer mod."""
    _invalid(reject_placeholders(params, ("topic",)))
    options = {name: params[name] for name in (
        "key_column", "key_value", "value_format", "headers", "headers_column", "flush_timeout_s",
        "on_send_error") if params.get(name) is not None}
    client = client_of(params.get("connection"), params.get("connect_timeout_s"), log)
    return client.produce(params["topic"], params["data"], flush=params.get("flush_after_send", True),
                          properties=params.get("additional_producer_config") or None, **options)


class RateWatch:
    """Notices, once, that something is called at a high rate."""

    def __init__(self) -> None:
        self._calls: deque[float] = deque(maxlen=_RATE_CALLS)
        self._said = False
        self._lock = threading.Lock()

    def is_high(self) -> bool:
        """Counts a call; True the first time that the rate is high."""
        now = time.monotonic()
        with self._lock:
            self._calls.append(now)
            high = len(self._calls) == _RATE_CALLS and now - self._calls[0] < _RATE_SECONDS
            first, self._said = high and not self._said, self._said or high
        return first
