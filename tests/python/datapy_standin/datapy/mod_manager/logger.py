"""Tab-delimited logs to stderr."""

from __future__ import annotations

import logging
import sys


class _AddsMod(logging.Filter):
    def __init__(self, mod_type: str, mod_name: str) -> None:
        super().__init__()
        self.mod_type, self.mod_name = mod_type, mod_name

    def filter(self, record: logging.LogRecord) -> bool:
        record.mod_type = getattr(record, "mod_type", self.mod_type)
        record.mod_name = getattr(record, "mod_name", self.mod_name)
        return True


def setup_logger(name: str, mod_type: str | None = None, mod_name: str | None = None) -> logging.Logger:
    logger = logging.getLogger(name)
    if mod_type is not None:  # A filter more at each call, as the framework does it.
        logger.addFilter(_AddsMod(mod_type, mod_name or ""))
    return logger


def setup_console_logging(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_AddsMod("", ""))
    handler.setFormatter(logging.Formatter("%(asctime)s\t%(levelname)s\t%(name)s\t%(mod_type)s\t%(mod_name)s\t%(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
