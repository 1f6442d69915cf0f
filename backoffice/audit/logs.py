"""Structured logs: one JSON object a line, with the request id and no personal data."""

import json
import logging
from datetime import UTC, datetime

from backoffice.audit import context


class RequestFilter(logging.Filter):
    """Put the running request's id on each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record."""
        # Django logs answers of 400 and more after the middleware, but hands over the request.
        request = getattr(record, "request", None)
        record.request_id = getattr(request, "request_id", "") or context.current().request_id
        return True


class JsonFormatter(logging.Formatter):
    """Write time (UTC), level, logger, message, request id and the place of an exception.

    An exception's text and local values may hold personal data, so only its type and the place
    (file and line of each frame) are written.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", ""),
        }
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__name__
            line["at"] = _frames(record)
        return json.dumps(line, ensure_ascii=False)


def _frames(record: logging.LogRecord) -> str:
    frames = []
    traceback = record.exc_info[2] if record.exc_info else None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code.co_filename}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return " > ".join(frames[-8:])
