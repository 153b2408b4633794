"""What the DataPy mods declare: their metadata and their parameters.

The mods hand this to the framework's classes; `datapy-kafka install` writes the
same into its registry.
"""

from __future__ import annotations

from typing import Any

MODS = ("kafka_connector", "kafka_consumer", "kafka_producer")


def _metadata(mod: str, description: str, input_ports: list[str], output_ports: list[str]) -> dict[str, Any]:
    return {"type": mod, "version": "1.0.0", "description": description, "category": "streaming",
            "input_ports": input_ports, "output_ports": output_ports, "globals": [],
            "packages": ["datapy-kafka>=1.0.0"]}


def _required(kind: str, description: str) -> dict[str, Any]:
    return {"type": kind, "description": description}


def _option(kind: str, default: Any, description: str) -> dict[str, Any]:
    return {"type": kind, "default": default, "description": description}


def _text(description: str, default: Any = None) -> dict[str, Any]:
    return _option("str", default, description)


METADATA: dict[str, dict[str, Any]] = {
    "kafka_connector": _metadata("kafka_connector", "Establishes a Kafka connection with SASL, TLS or both, and checks it", [], ["connection"]),
    "kafka_consumer": _metadata("kafka_consumer", "Infinite loop that processes Kafka messages with commit per message", ["connection"], []),
    "kafka_producer": _metadata("kafka_producer", "Sends records to a Kafka topic and waits until they are safe", ["connection", "data"], []),
}

CONFIG_SCHEMA: dict[str, dict[str, Any]] = {
    "kafka_connector": {
        "required": {},
        "optional": {
            "bootstrap_servers": _text("host:port list, comma-separated; required unless connection_name is given"),
            "connection_name": _text("A connection of the sidecar's own configuration, in place of all the rest"),
            "security_protocol": _text("PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", "PLAINTEXT"),
            "sasl_mechanism": _text("PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", "PLAIN"),
            "sasl_username": _text("The SASL user"),
            "sasl_password": _text("The SASL password"),
            "ssl_ca_location": _text("PEM file of the certificate authorities"),
            "ssl_cert_location": _text("PEM file of the client's certificate, for mutual TLS"),
            "ssl_key_location": _text("PEM file of the client's private key, for mutual TLS"),
            "ssl_key_password": _text("The password of an encrypted private key"),
            "additional_config": _option("dict", {}, "Further librdkafka properties"),
            "connect_timeout_s": _option("float", 10.0, "The longest that the check may take, in seconds"),
        },
    },
    "kafka_consumer": {
        "required": {
            "connection": _required("object", "The artifact connection of kafka_connector"),
            "topics": _required("list", "Topics, or regular expressions that begin with ^"),
            "group_id": _required("str", "The consumer group"),
        },
        "optional": {
            "message_processor": _option("object", None, "Function of one message; required unless "
                                         "batch_processor is given"),
            "batch_processor": _option("object", None, "Function of a batch of messages of one partition"),
            "auto_offset_reset": _option("str", "earliest", "earliest, latest or none"),
            "commit_strategy": _option("str", "per_message", "per_message"),
            "on_error": _option("str", "continue", "continue, retry or stop"),
            "max_retries": _option("int", 3, "retry: attempts after the first"),
            "retry_backoff_ms": _option("list", [100, 200, 400], "retry: waits; the last one repeats"),
            "controller": _option("object", None, "StreamController; made by the mod if not given"),
            "shutdown_drain_timeout_s": _option("int", 30, "How long a stop waits for the record at hand"),
            "log_summary_interval": _option("int", 1000, "Messages between two summary lines; 0 for none"),
            "log_message_details": _option("bool", False, "Log each message's place (never its content)"),
            "additional_consumer_config": _option("dict", {}, "Further librdkafka properties"),
            "connect_timeout_s": _option("float", None, "How long to wait for a sidecar; None: for ever"),
            "ack_timeout_s": _option("float", None, "A record not processed in this time has failed"),
            "max_in_flight": _option("int", None, "Records fetched ahead at most"),
            "max_in_flight_bytes": _option("int", None, "Bytes fetched ahead at most"),
        },
    },
    "kafka_producer": {
        "required": {
            "connection": _required("object", "The artifact connection of kafka_connector"),
            "topic": _required("str", "The topic"),
            "data": _required("object", "dict, list of dicts, str, bytes, DataFrame or LazyFrame"),
        },
        "optional": {
            "key_column": _option("str", None, "The column whose value is the key"),
            "key_value": _option("object", None, "One key for every record"),
            "value_format": _option("str", "json", "json, string or bytes"),
            "headers": _option("dict", None, "Headers that every record gets"),
            "headers_column": _option("str", None, "The column with a record's own headers"),
            "flush_after_send": _option("bool", True, "Wait until the records are safe on the brokers"),
            "flush_timeout_s": _option("float", 10.0, "The longest wait"),
            "on_send_error": _option("str", "raise", "raise (the result is an error) or log (a warning)"),
            "additional_producer_config": _option("dict", {}, "Further librdkafka properties"),
            "connect_timeout_s": _option("float", None, "How long to wait for a sidecar"),
        },
    },
}
