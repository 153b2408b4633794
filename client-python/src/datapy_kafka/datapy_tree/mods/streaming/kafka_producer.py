"""kafka_producer: writes a dict, a list of dicts or a table to a Kafka topic.

Inside a message_processor use `connection.producer(topic).send(...)` instead: it
costs no look-ups of the framework for each record, and run_mod replaces `${...}`
inside payloads, which may come from outside.
"""

import logging
from typing import Any, Dict

from datapy.mod_manager.base import ConfigSchema, ModMetadata
from datapy.mod_manager.logger import setup_logger
from datapy.mod_manager.result import ModResult
from datapy_kafka import _declarations, _mods

METADATA = ModMetadata(**_declarations.METADATA["kafka_producer"])
CONFIG_SCHEMA = ConfigSchema(**_declarations.CONFIG_SCHEMA["kafka_producer"])

_logger = setup_logger(__name__)
_rate = _mods.RateWatch()
_ERRORS_SHOWN = 20


def run(params: Dict[str, Any]) -> Dict[str, Any]:
    """Sends the data; returns the counts as metrics and an error for each failed record."""
    mod_name, mod_type = params.get("_mod_name", "kafka_producer"), params.get("_mod_type", "kafka_producer")
    log = logging.LoggerAdapter(_logger, {"mod_type": mod_type, "mod_name": mod_name})
    result = ModResult(mod_type, mod_name)
    if _rate.is_high():
        log.warning("kafka_producer is called at a high rate: inside a message_processor "
                    "connection.producer(topic).send(...) is much cheaper")

    def work() -> Dict[str, Any]:
        try:
            done = _mods.produce(params, log)
        except Exception as error:
            _add_metrics(result, getattr(error, "result", None), result.add_error, getattr(error, "code", 30))
            raise
        _add_metrics(result, done, lambda text, code: result.add_warning(text), 30)
        return result.warning() if done.failed else result.success()

    return _mods.run_guarded(result, log, work)


def _add_metrics(result: ModResult, done: Any, tell: Any, code: int) -> None:
    if done is None:
        return
    for name, value in (("messages_sent", done.sent), ("messages_failed", done.failed),
                        ("bytes_sent", done.bytes), ("duration_s", round(done.duration_s, 3))):
        result.add_metric(name, value)
    for one in done.errors[:_ERRORS_SHOWN]:
        tell(f"{one.topic}, record {one.index}: {one.message} ({one.reason})", code)
    if done.failed > _ERRORS_SHOWN:
        tell(f"and {done.failed - _ERRORS_SHOWN} more records", code)
