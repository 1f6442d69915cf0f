"""The address to which browsers report violations, and the page of what they reported."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backoffice.accounts.limits import Limit
from backoffice.accounts.models import Counter, User
from backoffice.audit.models import Event
from backoffice.browser import reports, services, views
from backoffice.browser.models import Violation

pytestmark = pytest.mark.django_db
WHERE = "/browser-reports/"
PAGE = "http://testserver/admin/customers/customer/17850/change/?q=mary@example.com#x"
OLD = {
    "csp-report": {
        "document-uri": PAGE,
        "referrer": "http://testserver/admin/?q=secret",
        "effective-directive": "script-src-elem",
        "violated-directive": "script-src-elem",
        "blocked-uri": "https://user:word@evil.example/x.js?mail=mary@example.com",
        "source-file": "http://testserver/static/backoffice/backoffice.js?v=1",
        "script-sample": "alert('mary@example.com')",
    }
}
NEW = [
    {
        "type": "csp-violation",
        "age": 10,
        "url": PAGE,
        "user_agent": "Mozilla",
        "body": {
            "documentURL": PAGE,
            "blockedURL": "https://evil.example/other.js",
            "effectiveDirective": "script-src-elem",
            "sourceFile": "http://testserver/static/backoffice/backoffice.js",
            "sample": "",
            "disposition": "enforce",
        },
    },
    {"type": "deprecation", "body": {"id": "x"}},
]


def send(told: Any, kind: str = reports.LEGACY, **extra: Any) -> int:
    """Report as a browser without cookies; the status."""
    body = told if isinstance(told, bytes) else json.dumps(told)
    answer = Client(enforce_csrf_checks=True).post(WHERE, data=body, content_type=kind, **extra)
    assert not answer.cookies
    return answer.status_code


def test_both_formats_count_in_one_row_without_query_or_id() -> None:
    assert send(OLD) == 204
    assert send(NEW, reports.REPORTING) == 204
    row = Violation.objects.get()
    assert (row.directive, row.blocked, row.count) == (
        "script-src-elem",
        "https://evil.example",
        2,
    )
    assert row.page == "admin/customers/customer/<path:object_id>/change/"
    assert row.source == "/static/backoffice/backoffice.js"
    kept = repr(list(Violation.objects.values()))
    assert not [word for word in ("17850", "mary", "word", "secret", "alert") if word in kept]


@pytest.mark.parametrize(
    ("blocked", "kept"),
    [
        ("inline", "inline"),
        ("eval", "eval"),
        ("data", "data"),
        ("blob:http://testserver/1-2-3", "blob:"),
        ("chrome-extension://abcdefgh/x.js", "chrome-extension:"),
        ("http://testserver/admin/customers/customer/1/", "self"),
        ("wss://evil.example:99/a", "wss://evil.example:99"),
        ("mary@example.com, who was born in 1970", "other"),
        ("http://[broken", "other"),
        ("", "other"),
    ],
)
def test_what_was_blocked_is_kept_by_its_origin(blocked: str, kept: str) -> None:
    assert send({"csp-report": {**OLD["csp-report"], "blocked-uri": blocked}}) == 204
    assert Violation.objects.get().blocked == kept


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", reports.LEGACY, 400),
        (b"[" * 20_000, reports.LEGACY, 400),
        (b"\xff\xfe", reports.LEGACY, 400),
        (b"[]", reports.LEGACY, 400),
        (b"{}", reports.REPORTING, 400),
        (b'[{"type": "csp-violation", "body": 1}]', reports.REPORTING, 400),
        (b"{}", "application/json", 415),
        (b"x" * (views.MAX_BYTES + 1), reports.LEGACY, 413),
    ],
)
def test_what_is_no_report_is_refused(body: bytes, kind: str, status: int) -> None:
    assert send(body, kind) == status
    assert not Violation.objects.exists()


def test_odd_values_do_no_harm() -> None:
    odd: dict[str, Any] = {"document-uri": PAGE, "blocked-uri": 7, "effective-directive": ["x"]}
    assert send({"csp-report": odd}) == 204
    row = Violation.objects.get()
    assert (row.directive, row.blocked, row.source) == ("other", "other", "")


def test_pages_of_other_hosts_are_left_out() -> None:
    told = {**OLD["csp-report"], "document-uri": "https://evil.example/admin/"}
    assert send({"csp-report": told}) == 204
    assert not Violation.objects.exists()


def test_one_body_counts_so_many_and_no_more() -> None:
    assert send([NEW[0]] * 25, reports.REPORTING) == 204
    assert Violation.objects.get().count == reports.MOST_AT_ONCE


def test_an_address_may_report_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "OF_ONE", Limit(hits=2, seconds=3600))
    statuses = [send(OLD, REMOTE_ADDR="192.0.2.7") for _ in range(3)]
    assert statuses == [204, 204, 429]
    assert send(OLD, REMOTE_ADDR="192.0.2.8") == 204
    Counter.objects.all().delete()  # windows of two lengths that begin together share a row
    monkeypatch.setattr(views, "OF_ALL", Limit(hits=1, seconds=7200))
    assert [send(OLD, REMOTE_ADDR=f"192.0.2.{n}") for n in (20, 21)] == [204, 429]
    assert Violation.objects.get().count == 4


def test_list_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST", 2)
    for host in ("a", "b", "c", "d"):
        send({"csp-report": {**OLD["csp-report"], "blocked-uri": f"https://{host}.example"}})
    counts = dict(Violation.objects.values_list("blocked", "count"))
    assert counts == {"https://a.example": 1, "https://b.example": 1, "other": 2}


def test_old_ones_are_forgotten() -> None:
    send(OLD)
    assert services.prune() == 0
    Violation.objects.update(last_at=timezone.now() - services.KEPT - timedelta(minutes=1))
    assert services.prune() == 1


def test_ops_settle_and_forget(oli: User) -> None:
    send(OLD)
    row = Violation.objects.get()
    client = Client()
    client.force_login(oli)
    assert "https://evil.example" in client.get("/admin/violations/").content.decode()
    assert client.post(f"/admin/violations/{row.pk}/done/").status_code in {204, 302}
    row.refresh_from_db()
    assert row.done_by == oli
    assert "https://evil.example" not in client.get("/admin/violations/").content.decode()
    assert "https://evil.example" in client.get("/admin/violations/?done=1").content.decode()
    send(OLD)
    row.refresh_from_db()
    assert row.done_at is None
    assert Violation.objects.filter(done_by=None).exists()
    assert client.post(f"/admin/violations/{row.pk}/forget/").status_code in {204, 302}
    assert not Violation.objects.exists()
    verbs = list(Event.objects.filter(actor=oli).values_list("verb", flat=True))
    assert services.DONE in verbs
    assert services.FORGOTTEN in verbs


def test_others_neither_see_nor_settle(eve: User, ada: User) -> None:
    send(OLD)
    row = Violation.objects.get()
    client = Client()
    client.force_login(eve)
    assert client.get("/admin/violations/").status_code == 403
    client.force_login(ada)
    assert client.get("/admin/violations/").status_code == 200
    assert client.post(f"/admin/violations/{row.pk}/forget/").status_code == 403
    assert Violation.objects.exists()
