"""Imports under approval: who asks, who decides, what voids it; then the run starts by itself."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.sheets import approving, gates, services, starting
from backoffice.sheets.answers import StateError
from backoffice.sheets.models import ImportJob
from orders.models import Order
from tests.clients import signed_in
from tests.people import allow, make_person
from tests.sheets.made import book, check, line, upload

pytestmark = pytest.mark.django_db
State = ImportJob.State
ROWS = [line(), line(600002, 10002)]


@pytest.fixture(autouse=True)
def rule(settings: Any) -> None:
    settings.BACKOFFICE_IMPORT_APPROVAL = {"changed": 50, "formats": ["online-retail"]}


@pytest.fixture
def job(oli: User) -> ImportJob:
    return check(upload(book(ROWS), oli))


def asked(job: ImportJob) -> ApprovalRequest:
    """Ask for the approval of the import, and return the request."""
    assert starting.start_or_ask(job, actor=job.owner, reason="New supplier") is None
    job.refresh_from_db()
    assert job.state == State.WAITING
    return ApprovalRequest.objects.get(pk=job.request_id or 0)


def test_start_is_refused_without_an_approval(job: ImportJob, oli: User) -> None:
    with pytest.raises(gates.ApprovalNeededError):
        services.start(job, actor=oli)
    job.refresh_from_db()
    assert (job.state, job.started_at) == (State.CHECKED, None)
    assert not Job.objects.filter(kind=services.IMPORT).exists()


def test_waiting_import_cannot_be_started_past_the_vote(job: ImportJob, oli: User) -> None:
    asked(job)
    with pytest.raises(gates.ApprovalNeededError):
        services.start(job, actor=oli)


def test_approved_import_runs_by_itself_as_a_job_of_the_uploader(job: ImportJob, kim: User) -> None:
    request = asked(job)
    assert request.payload == {**approving.counts(job), "format": "online-retail"}
    assert request.snapshot["staged"] == approving.staged_hash(job)
    assert "New supplier" in request.reason
    approvals.approve(request, actor=kim)
    request.refresh_from_db()
    assert request.state == ApprovalRequest.State.EXECUTED
    work = Job.objects.get(kind=services.IMPORT)
    assert work.owner == job.owner
    execute(work.pk)
    job.refresh_from_db()
    assert job.state == State.DONE
    assert Order.objects.count() == 2


def test_who_asked_does_not_decide(job: ImportJob, oli: User) -> None:
    request = asked(job)
    with pytest.raises(PermissionDenied):
        approvals.approve(request, actor=allow(oli, "sheets.approve_importjob"))


def test_who_lacks_the_right_does_not_decide(job: ImportJob, max_: User) -> None:
    request = asked(job)
    with pytest.raises(PermissionDenied):
        approvals.approve(request, actor=max_)


def test_new_check_voids_the_request(job: ImportJob, kim: User) -> None:
    request = asked(job)
    check(job)
    assert job.state == State.CHECKED
    approvals.approve(request, actor=kim)
    request.refresh_from_db()
    assert request.state == ApprovalRequest.State.VOID
    job.refresh_from_db()
    assert job.state == State.CHECKED
    assert not Job.objects.filter(kind=services.IMPORT).exists()


def test_an_approval_of_other_rows_opens_nothing(job: ImportJob, kim: User, oli: User) -> None:
    """What was approved once is worth nothing for what a later check staged."""
    approvals.approve(asked(job), actor=kim)
    job.refresh_from_db()
    assert not gates.needs_approval(job)
    ImportJob.objects.filter(pk=job.pk).update(state=State.CHECKED, started_at=None)
    check(job)
    with pytest.raises(gates.ApprovalNeededError):
        services.start(job, actor=oli)


@pytest.mark.parametrize("end", ["reject", "withdraw"])
def test_refused_or_withdrawn_import_can_be_changed_again(
    job: ImportJob, kim: User, oli: User, end: str
) -> None:
    request = asked(job)
    if end == "reject":
        approvals.reject(request, actor=kim, comment="Not now")
    else:
        approvals.withdraw(request, actor=oli)
    job.refresh_from_db()
    assert job.state == State.CHECKED
    assert "Not approved" in job.message
    with pytest.raises(gates.ApprovalNeededError):
        services.start(job, actor=oli)
    page = signed_in(oli).get(reverse("admin:import_check", args=[job.public_id]))
    assert "Not approved" in page.content.decode()


def test_asking_needs_a_reason_and_the_own_import(job: ImportJob, oli: User) -> None:
    with pytest.raises(ValidationError):
        starting.start_or_ask(job, actor=oli)
    job.refresh_from_db()
    assert job.state == State.CHECKED
    other = allow(make_person("oz", "ops"), "sheets.add_importjob")
    with pytest.raises(PermissionDenied):
        starting.start_or_ask(job, actor=other, reason="Mine now")


def test_lost_right_to_import_voids_the_request(job: ImportJob, kim: User) -> None:
    request = asked(job)
    job.owner.groups.clear()
    approvals.approve(request, actor=kim)
    request.refresh_from_db()
    assert request.state == ApprovalRequest.State.VOID
    job.refresh_from_db()
    assert job.state == State.CHECKED


def test_number_of_changed_rows_is_what_asks(
    job: ImportJob, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BACKOFFICE_IMPORT_APPROVAL = {"changed": 50, "formats": []}
    assert not gates.needs_approval(job)
    for changed, wanted in ((50, False), (51, True)):
        counts = {"new": 10_000, "changed": changed}
        monkeypatch.setattr(approving, "counts", lambda _job, counts=counts: counts)
        assert gates.needs_approval(job) is wanted
    settings.BACKOFFICE_IMPORT_APPROVAL = {}
    assert not gates.needs_approval(job)


def test_page_asks_and_approver_sees_check_and_difference(
    job: ImportJob, oli: User, kim: User
) -> None:
    address = reverse("admin:import_check", args=[job.public_id])
    page = signed_in(oli).get(address).content.decode()
    assert "Ask for approval" in page
    assert "Import 2 rows" not in page
    answer = signed_in(oli).post(address, {"do": "start"})
    assert answer.status_code == 422
    answer = signed_in(oli).post(address, {"do": "start", "reason": "New supplier"})
    assert answer.headers["Location"] == address
    assert "Waiting for approval" in signed_in(oli).get(address).content.decode()
    client = signed_in(kim)
    for name in ("import_check", "import_difference"):
        assert client.get(reverse(f"admin:{name}", args=[job.public_id])).status_code == 200
    request = ApprovalRequest.objects.get()
    shown = client.get(reverse("admin:approval", args=[request.pk])).content.decode()
    assert approving.staged_hash(job) in shown
    assert reverse("admin:import", args=[job.public_id]) in shown


class TestAllOrNothing:
    """A whole import does not start while rows failed."""

    @pytest.fixture(autouse=True)
    def rule(self, settings: Any) -> None:
        settings.BACKOFFICE_IMPORT_APPROVAL = {}

    def test_failed_rows_keep_it_from_starting(self, oli: User) -> None:
        job = check(upload(book([*ROWS, line(600003, quantity="three")]), oli))
        starting.set_mode(job, job.mode, whole=True, actor=oli)
        assert job.state == State.CHECKED
        with pytest.raises(StateError, match="all or nothing"):
            services.start(job, actor=oli)
        client = signed_in(oli)
        address = reverse("admin:import_check", args=[job.public_id])
        page = client.get(address).content.decode()
        assert "It cannot start as it is" in page
        assert "Import 2 rows" not in page
        assert client.post(address, {"do": "start"}).status_code == 409
        assert not Order.objects.exists()
        client.post(address, {"do": "mode", "mode": "both", "whole": "0"})
        assert services.start(job, actor=oli).kind == services.IMPORT

    def test_whole_without_failed_rows_starts(self, oli: User) -> None:
        job = check(upload(book(ROWS), oli))
        starting.set_mode(job, job.mode, whole=True, actor=oli)
        assert services.start(job, actor=oli).kind == services.IMPORT

    def test_another_mode_checks_anew(self, oli: User) -> None:
        job = check(upload(book(ROWS), oli))
        begun = starting.set_mode(job, "update", whole=False, actor=oli)
        assert begun is not None
        execute(begun.pk)
        job.refresh_from_db()
        assert (job.state, job.mode) == (State.CHECKED, "update")
        assert approving.counts(job) == {"new": 0, "changed": 0}
        assert job.problems.filter(code="absent").exists()

    def test_mode_is_the_owners(self, oli: User, ada: User) -> None:
        job = check(upload(book(ROWS), oli))
        for who in (ada, make_person("oz", "ops")):
            with pytest.raises(PermissionDenied):
                starting.set_mode(job, "create", whole=True, actor=who)
        with pytest.raises(ValueError, match="Choose"):
            starting.set_mode(job, "nonsense", whole=False, actor=oli)
        services.start(job, actor=oli)
        with pytest.raises(StateError):
            starting.set_mode(job, "create", whole=False, actor=oli)
