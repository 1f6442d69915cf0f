"""Erasing a person: nothing of them is left anywhere, the books stay, the chain verifies."""

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.db.models import Sum

from backoffice.accounts.models import User
from backoffice.approvals.canonical import digest
from backoffice.audit import chain
from backoffice.audit.models import Event
from backoffice.audit.services import save_with_history
from backoffice.audit.verify import verify
from backoffice.files.models import KeptFile
from backoffice.jobs import run
from backoffice.jobs.models import Job
from backoffice.sheets.models import ImportJob
from customers import services
from customers.models import Customer, CustomerMerge, PrivacyCase
from customers.services import erased, erasure, privacy
from orders.models import Order
from payments.models import Payment, Refund
from tests.canaries import leaks
from tests.customers.traces import (
    CANARIES,
    EMAIL,
    NAME,
    PHONE,
    approved,
    columns_of,
    erase,
    found_anywhere,
    lasting_texts,
    spread,
    texts_of_the_database,
)
from tests.factories import make_customer
from tests.processes import python

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_places")]


def books() -> dict[str, Any]:
    """Return what bookkeeping rests on."""
    return {
        "orders": list(Order.objects.order_by("pk").values_list("number", "total_minor", "status")),
        "total": Order.objects.aggregate(Sum("total_minor")),
        "payments": list(Payment.objects.order_by("pk").values_list("reference", "captured_minor")),
        "refunds": list(Refund.objects.order_by("pk").values_list("amount_minor", "state")),
    }


def test_erasure_leaves_nothing_of_the_person(
    customer: Customer, people: dict[str, User], settings: Any
) -> None:
    other = make_customer(
        name="Bo Otherperson", email="bo@other-person.example", phone="+44 20 7946 0001"
    )
    spread(customer, people)
    assert len(found_anywhere(settings.MEDIA_ROOT)) > 40  # the search itself sees
    rows = customer.history.count()
    before, theirs = books(), columns_of(other)
    case = erase(customer, people)
    assert case.state == PrivacyCase.State.DONE
    assert found_anywhere(settings.MEDIA_ROOT) == []
    assert books() == before
    assert customer.history.count() > rows
    assert columns_of(other) == theirs


def test_chain_verifies_after_erasure(customer: Customer, people: dict[str, User]) -> None:
    spread(customer, people)
    chain.seal()
    erase(customer, people)
    chain.seal()
    report = verify()
    assert (report.problems, report.unsealed) == ([], 0)
    assert report.erased > 5


def test_history_rows_stay_without_values(customer: Customer, people: dict[str, User]) -> None:
    before = set(customer.history.values_list("history_id", "history_type", "history_date"))
    erase(customer, people)
    after = set(customer.history.values_list("history_id", "history_type", "history_date"))
    assert before <= after
    texts = ("name", "email", "phone", "address", "bank_account", "country")
    values = (*texts, "email_index", "phone_index", "name_index")
    assert {value for row in customer.history.values_list(*values) for value in row} <= {"", None}
    assert set(customer.history.values_list("born", flat=True)) == {None}
    assert set(customer.history.values_list("number", flat=True)) == {"17850"}


def test_second_run_changes_nothing(customer: Customer, people: dict[str, User]) -> None:
    spread(customer, people)
    case = erase(customer, people)
    told = lasting_texts()
    rows = customer.history.count()
    assert case.job is not None
    again = erasure.reapply(actor=people["pia"], entries=list(erased.read()))
    assert (again, customer.history.count()) == ([], rows)
    Customer.objects.filter(pk=customer.pk).update(erased_at=None)  # as if nobody knew
    redone = erasure.reapply(actor=people["pia"], entries=list(erased.read()))
    changed = {name: count for name, count in redone[0].receipt["rows"].items() if count}
    assert changed == {}
    # A second run leaves its own request and events behind, and takes no text away.
    assert told - lasting_texts() == Counter()


def test_receipt_counts_and_holds_no_value(customer: Customer, people: dict[str, User]) -> None:
    spread(customer, people)
    case = erase(customer, people)
    assert case.receipt["rows"]["customers.customer"] == 1
    assert case.receipt["rows"]["customers.customer.past"] >= 2
    assert case.receipt["rows"]["files.kept"] == 2
    assert case.receipt["rows"]["sheets.files"] == 1
    assert case.digest == digest(case.receipt)
    event = Event.objects.get(verb=privacy.DONE)
    assert event.context["receipt"] == case.digest
    assert leaks(json.dumps(case.receipt), CANARIES) == []


def test_files_of_others_stay(customer: Customer, people: dict[str, User]) -> None:
    spread(customer, people)
    erase(customer, people)
    assert [kept.name for kept in KeptFile.objects.all()] == ["other.csv"]
    jobs = ImportJob.objects.order_by("pk")
    assert [bool(job.file) for job in jobs] == [False, True]
    assert [job.parts.count() for job in jobs] == [0, 1]


def test_number_that_is_an_address_is_replaced(kim: User, people: dict[str, User]) -> None:
    customer = Customer(number="num.ber@told-canary.example", name="Nora Numbercanary")
    save_with_history(customer, actor=kim, reason="")
    erase(customer, people)
    customer.refresh_from_db()
    assert customer.number == f"erased-{customer.pk}"
    assert set(customer.history.values_list("number", flat=True)) == {f"erased-{customer.pk}"}


def test_erased_customer_is_neither_changed_nor_revealed(
    customer: Customer, people: dict[str, User]
) -> None:
    erase(customer, people)
    fresh = Customer.objects.get(pk=customer.pk)
    with pytest.raises(PermissionDenied):
        services.edit_customer(fresh, changes={"name": "Back"}, actor=people["kim"], reason="x")
    with pytest.raises(ValidationError):  # who read the row before it was erased
        services.edit_customer(customer, changes={"name": "Back"}, actor=people["kim"], reason="x")


def test_merged_rows_are_erased_with_the_person(
    customer: Customer, people: dict[str, User]
) -> None:
    other = make_customer(name="Twinova Mergecanary", email="twin@merge-canary.example")
    Customer.objects.filter(pk=other.pk).update(merged_into=customer)
    erase(customer, people)
    told = [text for name, text in texts_of_the_database() if "Mergecanary" in text]
    assert told == []
    assert Customer.objects.get(pk=other.pk).erased_at is not None


@pytest.mark.django_db(transaction=True)
def test_killed_worker_leaves_the_same_end(
    customer: Customer, people: dict[str, User], settings: Any
) -> None:
    spread(customer, people)
    before = books()
    case = approved(customer, people)
    assert case.job is not None
    places = {"BACKOFFICE_ERASED_LIST": settings.BACKOFFICE_ERASED_LIST}
    for place in ("audit.reasons", "customers.customer.past"):
        arguments = ("-m", "tests.customers.privacy_child", str(case.job.pk), place)
        with python(*arguments, **places) as child:
            assert child.stdout is not None
            assert child.stdout.readline().strip() == "there"
            child.kill()
            child.wait()
        Job.objects.filter(pk=case.job.pk).update(state=Job.State.QUEUED)  # as the reaper does
        assert found_anywhere(settings.MEDIA_ROOT) != []
        assert PrivacyCase.objects.get().state == PrivacyCase.State.RUNNING
    run.execute(case.job.pk)
    case.refresh_from_db()
    assert case.state == PrivacyCase.State.DONE
    assert found_anywhere(settings.MEDIA_ROOT) == []
    assert books() == before
    assert case.receipt["rows"]["customers.customer.past"] >= 2
    assert Event.objects.filter(verb=privacy.BEGUN).count() == 1
    assert Event.objects.filter(verb=privacy.DONE).count() == 1
    chain.seal()
    assert verify().problems == []
    entries = list(erased.read())
    assert [entry.customer for entry in entries] == [customer.pk]


def test_restored_backup_is_erased_again(
    customer: Customer, people: dict[str, User], settings: Any
) -> None:
    spread(customer, people)
    old = dict(zip(("name", "email", "phone"), (NAME, EMAIL, PHONE), strict=True))
    erase(customer, people)
    PrivacyCase.objects.filter(customer=customer).delete()  # the backup is older than all of this
    Customer.objects.filter(pk=customer.pk).update(erased_at=None, **old)
    stranger = make_customer(name="Newoneova Keepcanary")
    line = json.dumps({"customer": stranger.pk, "print": "0" * 64, "at": "", "receipt": ""})
    with Path(settings.BACKOFFICE_ERASED_LIST).open("a") as file:
        file.write(line + "\n")  # somebody else had this key once
    assert found_anywhere(settings.MEDIA_ROOT)
    out = io.StringIO()
    call_command("privacy", "reapply", "--by", "pia", stdout=out)
    assert found_anywhere(settings.MEDIA_ROOT) == []
    assert Customer.objects.get(pk=stranger.pk).erased_at is None
    assert "1 customer" in out.getvalue()
    call_command("privacy", "reapply", "--by", "pia", stdout=out)
    assert "0 customers" in out.getvalue()


def test_list_outside_names_keys_alone(
    customer: Customer, people: dict[str, User], settings: Any
) -> None:
    erase(customer, people)
    path = Path(settings.BACKOFFICE_ERASED_LIST)
    assert (leaks(path.read_bytes(), CANARIES), path.stat().st_mode & 0o777) == ([], 0o600)
    assert "17850" not in path.read_text()


def test_values_taken_by_an_undone_merge_go_from_the_other_history(
    customer: Customer, kim: User, people: dict[str, User]
) -> None:
    other = Customer(number="17851", name="Otto Stayscanary")
    save_with_history(other, actor=kim, reason="")
    other.email = EMAIL
    save_with_history(other, actor=kim, reason="")
    other.email = "otto@stays-canary.example"
    save_with_history(other, actor=kim, reason="")
    taken = ["email"]
    CustomerMerge.objects.create(
        kept=other, gone=customer, requested_by=kim, state="undone", taken=taken
    )
    erase(customer, people)
    held = {str(row.email) for row in other.history.all()}
    assert leaks(repr([text for _place, text in texts_of_the_database()]), CANARIES) == []
    assert len(held) == 2  # blank, and otto's own
    assert str(Customer.objects.get(pk=other.pk).name) == "O••••• S•••••"


@pytest.mark.parametrize(
    ("state", "taken"), [("dropped", ["email"]), ("requested", ["email"]), ("undone", ["phone"])]
)
def test_history_of_another_stays_where_no_merge_wrote_into_it(
    customer: Customer, kim: User, people: dict[str, User], state: str, taken: list[str]
) -> None:
    other = Customer(number="17852", name="Ines Samehouse", email=EMAIL)  # they share an address
    save_with_history(other, actor=kim, reason="")
    CustomerMerge.objects.create(
        kept=other, gone=customer, requested_by=kim, state=state, taken=taken
    )
    CustomerMerge.objects.create(kept=customer, gone=other, requested_by=kim, state="undone",
                                 taken=["email"])  # fmt: skip
    before = columns_of(other)
    erase(customer, people)
    assert columns_of(other) == before
