"""kafka_connector: how to reach and log in to a Kafka cluster.

Certificates are read here and their contents sent to the sidecar, which cannot
open the job's files. The connection is checked through the sidecar before it is
returned. With `connection_name` the sidecar's own configuration holds all of
it, and the job needs no secret.
"""

import logging
from typing import Any, Dict

from datapy.mod_manager.base import ConfigSchema, ModMetadata
from datapy.mod_manager.logger import setup_logger
from datapy.mod_manager.result import ModResult
from datapy_kafka import _declarations, _mods

METADATA = ModMetadata(**_declarations.METADATA["kafka_connector"])
CONFIG_SCHEMA = ConfigSchema(**_declarations.CONFIG_SCHEMA["kafka_connector"])

_logger = setup_logger(__name__)


def run(params: Dict[str, Any]) -> Dict[str, Any]:
    """Checks the parameters and the connection; returns it as the artifact `connection`."""
    mod_name, mod_type = params.get("_mod_name", "kafka_connector"), params.get("_mod_type", "kafka_connector")
    log = logging.LoggerAdapter(_logger, {"mod_type": mod_type, "mod_name": mod_name})
    result = ModResult(mod_type, mod_name)

    def work() -> Dict[str, Any]:
        connection = _mods.connection_of(params)
        answer = _mods.check(connection, params.get("connect_timeout_s") or 10.0)
        result.add_artifact("connection", connection)
        result.add_metric("broker_count", answer.broker_count)
        result.add_metric("topic_count", len(answer.topics))
        result.add_metric("duration_ms", answer.duration_ms)
        log.info("Connected to %s: %d brokers, %d topics",
                 connection.name or connection.bootstrap_servers, answer.broker_count, len(answer.topics))
        return result.success()

    return _mods.run_guarded(result, log, work)
