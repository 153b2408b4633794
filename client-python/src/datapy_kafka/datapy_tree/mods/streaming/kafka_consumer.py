"""kafka_consumer: calls a function with each record of Kafka topics, until told to stop.

The sidecar polls, commits and retries; this mod calls `message_processor` on the
thread that called run_mod. A record is committed only after it was processed, or
after `on_error` decided about its failure.
"""

import logging
from typing import Any, Dict

from datapy.mod_manager.base import ConfigSchema, ModMetadata
from datapy.mod_manager.logger import setup_logger
from datapy.mod_manager.result import ModResult
from datapy_kafka import _declarations, _mods

METADATA = ModMetadata(**_declarations.METADATA["kafka_consumer"])
CONFIG_SCHEMA = ConfigSchema(**_declarations.CONFIG_SCHEMA["kafka_consumer"])

_logger = setup_logger(__name__)


def run(params: Dict[str, Any]) -> Dict[str, Any]:
    """Consumes until a stop is asked for; returns what was done as metrics."""
    mod_name, mod_type = params.get("_mod_name", "kafka_consumer"), params.get("_mod_type", "kafka_consumer")
    log = logging.LoggerAdapter(_logger, {"mod_type": mod_type, "mod_name": mod_name})
    result = ModResult(mod_type, mod_name)

    def work() -> Dict[str, Any]:
        try:
            done = _mods.consume(params, log)
        except Exception as error:
            _add_metrics(result, getattr(error, "result", None))
            raise
        _add_metrics(result, done)
        if done.error is not None:
            result.add_error(str(done.error), done.error.code)
            return result.error(done.error.code)
        if done.failed:
            result.add_warning(f"{done.failed} attempts failed; {done.skipped} messages were skipped")
        if not done.clean:
            result.add_warning("the end was not clean: messages that were processed may come again")
        return result.warning() if done.failed or not done.clean else result.success()

    return _mods.run_guarded(result, log, work)


def _add_metrics(result: ModResult, done: Any) -> None:
    if done is None:
        return
    for name in ("processed", "succeeded", "failed", "retried", "skipped"):
        result.add_metric(f"messages_{name}", getattr(done, name))
    result.add_metric("committed_offsets", {f"{topic}[{partition}]": offset for (topic, partition), offset
                                            in sorted(done.committed.items())})
    result.add_metric("duration_s", round(done.duration_s, 3))
    result.add_metric("clean_shutdown", done.clean)
    result.add_metric("stop_reason", done.stop_reason)
