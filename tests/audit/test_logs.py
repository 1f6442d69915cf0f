import json
import logging
import sys

import pytest
from django.test import Client

from backoffice.audit import context
from backoffice.audit.logs import JsonFormatter, RequestFilter


def _line(record: logging.LogRecord) -> dict[str, str]:
    RequestFilter().filter(record)
    parsed: dict[str, str] = json.loads(JsonFormatter().format(record))
    return parsed


def test_log_line_is_json_with_the_request_id() -> None:
    with context.origin(context.Origin(request_id="request-7")):
        line = _line(logging.LogRecord("x", logging.INFO, __file__, 1, "job %s", (7,), None))
    assert (line["message"], line["request_id"], line["level"]) == ("job 7", "request-7", "INFO")


def test_log_line_of_an_exception_holds_its_place_and_not_its_text() -> None:
    try:
        int("ann@example.com")
    except ValueError:
        info = sys.exc_info()
    line = _line(logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", (), info))
    assert line["exception"] == "ValueError"
    assert "test_logs.py" in line["at"]
    assert "ann@example.com" not in json.dumps(line)


@pytest.mark.django_db
def test_log_line_of_a_missing_page_has_the_request_id(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="django.request")
    client.get("/nothing/here/", headers={"X-Request-ID": "abcdef-12345"})
    assert [_line(record)["request_id"] for record in caplog.records] == ["abcdef-12345"]
