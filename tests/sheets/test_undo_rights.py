"""What an undo respects: rights and approvals, typed reasons, and what points without a key."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from guardian.shortcuts import assign_perm

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import history
from backoffice.audit.services import save_with_history
from backoffice.jobs.run import execute
from backoffice.masking.models import Grant
from backoffice.masking.services import give_grant
from backoffice.sheets import starting
from backoffice.sheets.models import ImportJob, Undo
from backoffice.sheets.services import StateError
from backoffice.sheets.undoing import pointers, undo
from customers.models import Customer
from orders.models import Order
from sellers.models import Seller
from tests.clients import signed_in
from tests.people import allow, make_person
from tests.sheets.journal import change, finished, left, make, take_back
from tests.sheets.made import book, check, line, upload
from tests.sheets.test_imports_api import post
from tests.sheets.test_undo_pages import page

pytestmark = pytest.mark.django_db
FORBIDDEN = 403


def customers(count: int) -> list[Customer]:
    return [Customer(number=f"N{n}", country="France") for n in range(count)]


def test_who_lost_the_rights_of_the_format_undoes_nothing_of_it(oli: User) -> None:
    job = finished(oli)
    make(job, customers(2))
    late = allow(make_person("lou"), "sheets.add_importjob")
    ImportJob.objects.filter(pk=job.pk).update(owner=late)
    job.refresh_from_db()
    other = allow(allow(make_person("uma"), "sheets.undo_importjob"), "sheets.view_importjob")
    for person in (late, other):
        assert not undo.is_allowed(job, person)
        with pytest.raises(PermissionDenied):
            undo.begin(job, actor=person)
    client = signed_in(allow(late, "sheets.view_importjob"))
    assert client.post(page(job), {"reason": "x"}).status_code == FORBIDDEN
    assert post(client, str(job.public_id), "undo", reason="x").status_code == FORBIDDEN
    assert not Undo.objects.exists()
    for right in ("orders.view_order", "customers.view_customer"):
        late = allow(late, right)
    assert undo.is_allowed(job, late)


def approved(job: ImportJob, kim: User) -> ImportJob:
    """Let the import be approved and run."""
    starting.start_or_ask(job, actor=job.owner, reason="New supplier")
    job.refresh_from_db()
    approvals.approve(ApprovalRequest.objects.get(pk=job.request_id or 0), actor=kim)
    job.refresh_from_db()
    assert job.job_id is not None
    execute(job.job_id)
    job.refresh_from_db()
    return job


def test_what_others_approved_is_undone_by_others(oli: User, kim: User, settings: Any) -> None:
    settings.BACKOFFICE_IMPORT_APPROVAL = {"formats": ["online-retail"]}
    job = approved(check(upload(book([line()]), oli)), kim)
    settings.BACKOFFICE_IMPORT_APPROVAL = {}
    with pytest.raises(PermissionDenied):
        undo.begin(job, actor=oli)
    assert signed_in(oli).post(page(job), {"reason": "x"}).status_code == FORBIDDEN
    mate = make_person("otto", "ops")
    take_back(job, actor=mate)
    assert not Order.objects.exists()


def test_many_changed_rows_are_undone_by_others_whenever_the_rule_came(
    oli: User, settings: Any
) -> None:
    job = finished(oli)
    rows = history.bulk_create(customers(3), actor=oli)
    change(job, rows, country="Spain")
    ImportJob.objects.filter(pk=job.pk).update(counters={"rows": {"updated": 3}})
    job.refresh_from_db()
    settings.BACKOFFICE_IMPORT_APPROVAL = {"changed": 2}
    with pytest.raises(PermissionDenied):
        undo.begin(job, actor=oli)
    settings.BACKOFFICE_IMPORT_APPROVAL = {"changed": 3}
    take_back(job)
    assert set(Customer.objects.values_list("country", flat=True)) == {"France"}


@pytest.mark.parametrize("form", ["{}", " {}", "IMPORT {}"])
def test_typed_reason_takes_no_row_out_of_the_undo(oli: User, form: str) -> None:
    job = finished(oli)
    rows = history.bulk_create(customers(2), actor=oli)
    typed = form.format(str(job.change_reason).removeprefix("IMPORT " if "IM" in form else ""))
    rows[0].country = "Peru"
    save_with_history(rows[0], actor=oli, reason=typed)
    assert rows[0].history.filter(history_change_reason=job.change_reason).count() == 0
    change(job, rows, country="Spain")
    done = take_back(job)
    assert undo.totals(done) == {"back": 2, "deleted": 0, "left": 0}
    assert Customer.objects.get(pk=rows[0].pk).country == "Peru"


def test_history_from_before_the_first_row_of_an_import_is_not_its_own(oli: User) -> None:
    job = finished(oli)
    rows = history.bulk_create(customers(1), actor=oli)
    rows[0].country = "Peru"
    history.bulk_update(rows, ["country"], actor=oli, reason=job.change_reason)
    change(job, rows, country="Spain")
    assert undo.totals(take_back(job))["back"] == 1
    assert Customer.objects.get().country == "Peru"


def test_typed_reason_of_an_undo_hides_no_edit(oli: User) -> None:
    other = finished(oli)
    make(other, [Seller(code="s1", name="One")])
    take_back(other)
    job = finished(oli)
    rows = make(job, customers(1))
    rows[0].country = "Peru"
    save_with_history(rows[0], actor=oli, reason=f"undo {other.public_id}")
    history.update(
        Customer.objects.all(),
        actor=oli,
        changes={"country": "Chile"},
        reason=f"undo {other.public_id}",
    )
    assert left(take_back(job)) == {(str(rows[0].pk), "edited")}
    assert Customer.objects.get().country == "Chile"


def test_rows_that_access_or_a_decision_is_about_stay(oli: User, ann: User, kim: User) -> None:
    job = finished(oli)
    granted, ended, asked, decided, shared, free = make(job, customers(6))
    giver = allow(kim, "masking.give_grant")
    for row in (granted, ended):
        give_grant(row, user=ann, actor=giver, reason="Case 7")
    kind = {"object_id": str(ended.pk)}
    Grant.objects.filter(**kind).update(ended_at=Grant.objects.get(**kind).starts_at)
    for row in (asked, decided):
        ApprovalRequest.objects.create(
            kind="customers.merge", subject_type="customers.customer", subject_id=str(row.pk),
            maker=ann, expires_at=job.created_at,
        )  # fmt: skip
    over = ApprovalRequest.objects.filter(subject_id=str(decided.pk))
    over.update(state=ApprovalRequest.State.WITHDRAWN)
    assign_perm("customers.view_customer", ann, shared)
    done = take_back(job)
    assert left(done) >= {(str(row.pk), "used") for row in (granted, asked, shared)}
    for row in (decided, free):
        assert not Customer.objects.filter(pk=row.pk).exists()


def test_what_a_project_registers_counts(oli: User, monkeypatch: pytest.MonkeyPatch) -> None:
    job = finished(oli)
    rows = make(job, customers(2))

    def asked(model: Any, keys: Any) -> set[Any]:
        return {rows[1].pk} & set(keys) if model is Customer else set()

    monkeypatch.setattr(pointers, "_asked", [*pointers._asked, asked])
    assert left(take_back(job)) == {(str(rows[1].pk), "used")}


def test_page_says_what_stays_and_no_undo_is_offered_where_all_does(oli: User) -> None:
    job = finished(oli)
    ImportJob.objects.filter(pk=job.pk).update(format="payments")
    make(job, [Seller(code="s1", name="One")])
    boss = User.objects.create_user("boss", is_staff=True, is_superuser=True)
    job.refresh_from_db()
    assert not undo.is_open(job)
    with pytest.raises(StateError):
        undo.begin(job, actor=boss)
    plain = check(upload(book([line()]), oli))
    ImportJob.objects.filter(pk=plain.pk).update(format="payments")
    shown = signed_in(oli).get(page(plain, "import_check")).content.decode()
    assert "Cannot be undone" in shown
    assert "It was booked, and the books only grow." in shown
    ImportJob.objects.filter(pk=plain.pk).update(format="online-retail")
    shown = signed_in(oli).get(page(plain, "import_check")).content.decode()
    assert "Can be undone from the result" in shown
    assert "Cannot be undone" not in shown
