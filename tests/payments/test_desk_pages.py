"""The desk's pages: who sees and does what, in a number of queries that does not grow."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.site.versions import version_of
from payments.models import Break, Payment, ReconciledDay, SettlementImport
from payments.services import closing, ledger
from tests.payments.settled import DAY, breaks, capture, match, paid, refunded, strange
from tests.people import PASSWORD, make_person

pytestmark = pytest.mark.django_db
DAYS = "admin:payments_reconciledday_changelist"
BREAKS = "admin:payments_break_changelist"
LEDGER = "admin:payments_ledgertransaction_changelist"
HEAD = "kind,reference,payment,number,amount_minor,fee_minor,currency,occurred_on\n"


@pytest.fixture(autouse=True)
def _gateway(settings: Settings) -> None:
    entry = {**settings.GATEWAYS["simulator"]}
    entry.pop("SETTLING", None)
    settings.GATEWAYS = {"simulator": entry}


@pytest.fixture
def payment() -> Payment:
    return paid()


@pytest.fixture
def day(payment: Payment) -> ReconciledDay:
    """A day with one refund that nobody here made."""
    return match(capture(payment, fee=48), strange(payment))


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def shown(user: User, name: str, *arguments: Any, query: str = "") -> str:
    response = browser(user).get(reverse(name, args=arguments) + query)
    assert response.status_code == 200
    return response.content.decode()


def do(user: User, action: str, obj: Any, **values: Any) -> int:
    name = f"admin:{obj._meta.label_lower.replace('.', '_')}_do_{action}"
    data = {"record_version": version_of(obj), "step_up_proof": PASSWORD, **values}
    return browser(user).post(reverse(name, args=[obj.pk]), data).status_code


def test_day_shows_both_sides_and_why_it_stays_open(day: ReconciledDay, max_: User) -> None:
    text = shown(max_, "admin:payments_reconciledday_change", day.pk)
    assert "£20.00" in text
    assert "1 difference is not solved." in text
    assert "disabled" in text
    assert reverse("admin:payments_break_change", args=[Break.objects.get().pk]) in text


def test_break_shows_both_sides(day: ReconciledDay, max_: User) -> None:
    text = shown(max_, "admin:payments_break_change", Break.objects.get().pk)
    assert "re_strange" in text
    assert "£3.00" in text


def test_break_is_proposed_and_agreed_to_in_the_browser(
    day: ReconciledDay, payment: Payment, max_: User
) -> None:
    found, mia = Break.objects.get(), make_person("mia", "finance")
    file = SimpleUploadedFile("x.pdf", b"%PDF-1.4 x")
    assert do(max_, "propose", found, solution="external", note="Made there", file=file) == 302
    found.refresh_from_db()
    assert found.state == "proposed"
    assert do(max_, "agree", found, comment="") == 403
    assert do(mia, "agree", found, comment="Seen") == 302
    found.refresh_from_db()
    assert (found.state, payment.refunds.get().state) == ("solved", "external")
    day.refresh_from_db()
    assert do(max_, "close", day) == 302
    day.refresh_from_db()
    assert day.state == "closed"
    assert do(max_, "reopen", day, reason="A row") == 302


def test_break_disagreed_with_is_open_again(day: ReconciledDay, max_: User) -> None:
    found, mia = Break.objects.get(), make_person("mia", "finance")
    do(max_, "propose", found, solution="explained", note="Known")
    found.refresh_from_db()
    assert do(mia, "disagree", found, comment="Unknown") == 302
    assert breaks() == [("missing_here", "open", None, -300)]


def test_booking_without_evidence_is_refused_in_the_dialog(day: ReconciledDay, max_: User) -> None:
    assert do(max_, "propose", Break.objects.get(), solution="book", note="Trust me") == 400
    assert breaks() == [("missing_here", "open", None, -300)]


def test_day_that_may_not_be_closed_refuses_the_click(day: ReconciledDay, max_: User) -> None:
    assert do(max_, "close", day) in {403, 409}
    day.refresh_from_db()
    assert day.state == "open"


def test_owner_and_auditor_read_and_support_does_not(
    day: ReconciledDay, kim: User, ada: User, eve: User
) -> None:
    for person in (kim, ada):
        for name in (DAYS, BREAKS, LEDGER):
            shown(person, name)
        assert do(person, "close", day) == 403
    for name in (DAYS, BREAKS, LEDGER):
        assert browser(eve).get(reverse(name)).status_code == 403


def test_ledger_leads_to_the_payment_and_back(
    day: ReconciledDay, payment: Payment, max_: User, eve: User
) -> None:
    booking = payment.bookings.get(kind="capture")
    ledger.book_refund(refunded(payment, 100, eve))
    text = shown(max_, "admin:payments_ledgertransaction_change", booking.pk)
    assert reverse("admin:payments_payment_change", args=[payment.pk]) in text
    text = shown(max_, "admin:payments_payment_change", payment.pk)
    assert reverse("admin:payments_ledgertransaction_change", args=[booking.pk]) in text
    assert "Bookings" not in shown(eve, "admin:payments_payment_change", payment.pk)


def test_ledger_has_a_trial_balance_of_what_is_listed(day: ReconciledDay, max_: User) -> None:
    text = shown(max_, LEDGER, query="?kind__exact=fee")
    assert "£0.48" in text
    assert "£20.00" not in text
    assert "On the accounts" in text


@pytest.mark.parametrize("term", ["RF-{refund}", "rf-{refund}", "refund:{refund}:done", "{ref}"])
def test_ledger_names_what_people_know_and_finds_it_by_either_name(
    day: ReconciledDay, payment: Payment, max_: User, eve: User, term: str
) -> None:
    back = refunded(payment, 100, eve)
    booking = ledger.book_refund(back)
    everything = shown(max_, LEDGER)
    assert f"Payment {payment.reference}" in everything
    assert f">{booking.key}<" not in everything
    found = shown(max_, LEDGER, query="?q=" + term.format(refund=back.pk, ref=back.gateway_ref))
    assert f"Refund {back.code}" in found
    assert f"Payment {payment.reference}" not in found


def test_days_on_which_nothing_moved_stand_among_all_alone(day: ReconciledDay, max_: User) -> None:
    empty, closed = (day.day - timedelta(days=number) for number in (1, 2))
    for one in (empty, closed):
        ReconciledDay.objects.create(gateway=day.gateway, day=one)
    done = {"state": "closed", "closed_by": max_, "closed_at": timezone.now()}
    ReconciledDay.objects.filter(day=closed).update(**done)
    client = browser(max_)

    def listed(view: str) -> list[date]:
        rows = client.get(reverse(DAYS), {"view": view}).context["cl"].result_list
        return [one.day for one in rows]

    seen = {view: listed(view) for view in ("", "closed", "all")}
    assert seen == {"": [day.day], "closed": [closed], "all": [day.day, empty, closed]}
    ReconciledDay.objects.filter(day=empty).update(sums={"GBP": {"fee": [0, 1, 0, 1]}})
    assert listed("") == [day.day, empty]


@pytest.mark.parametrize("name", [DAYS, BREAKS, LEDGER])
def test_lists_need_as_many_queries_for_one_row_as_for_three(
    payment: Payment, max_: User, eve: User, name: str
) -> None:
    client = browser(max_)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(reverse(name)).status_code == 200
        return len(captured)

    match(capture(payment), strange(payment))
    queries()
    before = queries()
    for number in range(3):
        other = paid()
        ledger.book_refund(refunded(other, 100, eve))
        match(strange(other, reference=f"re_{number}"), day=DAY)
    assert queries() == before


def test_file_is_checked_before_it_is_taken(
    payment: Payment, max_: User, settings: Settings
) -> None:
    row = f"capture,{payment.reference},{payment.reference},,2000,0,GBP,{DAY}\n"
    client = browser(max_)
    file = SimpleUploadedFile("day.csv", (HEAD + row).encode())
    data = {"gateway": "simulator", "day": str(DAY), "file": file}
    response = client.post(reverse("admin:payments_reconciledday_do_upload"), data, follow=True)
    text = response.content.decode()
    start = text.index("/admin/payments/settlement/")
    url = text[start : text.index('"', start)].replace("&amp;", "&")
    assert "1 rows" in client.get(url).content.decode()
    assert not SettlementImport.objects.exists()
    assert client.post(url, {}).status_code == 302
    execute(Job.objects.get(kind="payments.take_settlement").pk)
    source = SettlementImport.objects.get()
    assert (source.rows, source.new_rows, source.by) == (1, 1, max_)
    assert ReconciledDay.objects.get().matched == 1


def test_wrong_file_names_row_and_column_and_stores_nothing(max_: User) -> None:
    client = browser(max_)
    file = SimpleUploadedFile("day.csv", f"{HEAD}capture,p,p,,1e3,0,GBP,{DAY}\n".encode())
    data = {"gateway": "simulator", "day": str(DAY), "file": file}
    response = client.post(reverse("admin:payments_reconciledday_do_upload"), data, follow=True)
    text = response.content.decode()
    start = text.index("/admin/payments/settlement/")
    url = text[start : text.index('"', start)].replace("&amp;", "&")
    answer = client.get(url)
    assert answer.status_code == 403
    assert "row 2" in answer.content.decode()
    assert not SettlementImport.objects.exists()


def test_day_that_is_closed_says_by_whom(payment: Payment, max_: User) -> None:
    day = match(capture(payment))
    closing.close("simulator", DAY, actor=max_)
    assert "Closed by" in shown(max_, "admin:payments_reconciledday_change", day.pk)
