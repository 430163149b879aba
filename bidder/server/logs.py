"""Logs as lines of JSON on stderr: `time`, `level`, `part`, `event`, and what belongs to the event."""

from __future__ import annotations

import json
import logging
import sys
import time

LEVELS = ("debug", "info", "warning", "error")


class JsonLines(logging.Formatter):
    """A record as one line; *worker* is the number of the process, 0: the only one or the parent."""

    def __init__(self, worker: int) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """The line. What was given as `extra={"data": {...}}` stands beside the event."""
        line = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "part": record.name.removeprefix("bidlab."),
            "event": record.getMessage(),
            **({"worker": self._worker} if self._worker else {}),
            **getattr(record, "data", {}),
        }
        if record.exc_info is not None:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to_stderr(level: str, worker: int = 0) -> None:
    """Write what the service has to say to stderr, from *level* on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(worker))
    for name in ("bidlab", "aiohttp"):  # the second tells of what handlers did not expect
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper() if name == "bidlab" else logging.ERROR)
        logger.propagate = False
