"""A report of an error says where it broke, and shows nothing of what was in hand."""

import logging
from typing import Any

import pytest
from django.core import mail
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.utils.log import AdminEmailHandler
from pytest_django import Settings

from backoffice.audit.logs import JsonFormatter
from backoffice.audit.reports import Reporter
from backoffice.project.urls import urlpatterns as ours

LOCAL, POSTED, TEXT, NOTE, CAUSE, ASKED = (
    f"qz{name}-canary-73519" for name in ("local", "posted", "text", "note", "cause", "asked")
)
CANARIES = (LOCAL, POSTED, TEXT, NOTE, CAUSE, ASKED)


def broken(request: HttpRequest) -> HttpResponse:
    """Fail with a value in every place from which reports are filled."""
    held = {"email": LOCAL}
    found: dict[str, HttpResponse] = {}
    try:
        return found[CAUSE]
    except KeyError as first:
        error = ValueError(f"{TEXT} {len(held)}")
        error.add_note(NOTE)
        raise error from first


urlpatterns = [path("broken/", broken), *ours]


@pytest.fixture
def client(settings: Settings) -> Client:
    settings.ROOT_URLCONF = __name__
    client = Client(raise_request_exception=False)
    client.cookies["qzcookie"] = POSTED
    return client


def fails(client: Client) -> Any:
    return client.post(f"/broken/?q={ASKED}", {"email": POSTED}, headers={"X-Name": POSTED})


def held(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


@pytest.mark.django_db
@pytest.mark.parametrize("debug", [False, True])
def test_page_of_an_error_holds_no_value(
    debug: bool,  # noqa: FBT001 - a parameter of the test
    client: Client,
    settings: Settings,
) -> None:
    settings.DEBUG = debug
    answer = fails(client)
    assert answer.status_code == 500
    assert held(answer.text) == []
    assert ("ValueError" in answer.text) is debug


@pytest.mark.django_db
@pytest.mark.parametrize("html", [False, True])
def test_mail_to_admins_holds_no_value_where_somebody_wants_one(
    html: bool,  # noqa: FBT001 - a parameter of the test
    client: Client,
    settings: Settings,
) -> None:
    settings.ADMINS = ["ops@example.com"]
    handler = AdminEmailHandler(include_html=html)
    handler.setFormatter(JsonFormatter())
    assert handler.reporter_class is Reporter
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    try:
        fails(client)
    finally:
        logger.removeHandler(handler)
    (message,) = mail.outbox
    assert "ValueError" in str(message.message())
    assert held(str(message.message())) == []


def test_report_of_an_error_outside_a_request_holds_no_value() -> None:
    try:
        broken(HttpRequest())
    except ValueError as error:
        reporter = Reporter(None, type(error), error, error.__traceback__)
        report = reporter.get_traceback_html() + reporter.get_traceback_text()
    assert "ValueError" in report
    assert held(report) == []


@pytest.mark.django_db
def test_log_line_of_an_error_holds_no_value(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fails(client)
    lines = "\n".join(JsonFormatter().format(one) for one in caplog.records)
    assert "ValueError" in lines
    assert held(lines) == []


@pytest.mark.django_db
def test_nobody_is_mailed_by_default(client: Client, settings: Settings) -> None:
    settings.ADMINS = ["ops@example.com"]
    fails(client)
    assert mail.outbox == []
