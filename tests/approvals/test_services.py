from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.approvals import registry, services
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import Event
from customers.models import Customer
from tests.people import allow, make_person

KIND = "tests.rename"
executed: list[int] = []
refused: list[int] = []


@pytest.fixture(autouse=True)
def rule(monkeypatch: pytest.MonkeyPatch) -> registry.Rule:
    rule = registry.Rule(
        KIND,
        "Rename",
        "payments.approve_refund",
        execute=lambda request: executed.append(request.pk),
        on_reject=lambda request: refused.append(request.pk),
    )
    monkeypatch.setitem(registry._rules, KIND, rule)
    executed.clear()
    refused.clear()
    return rule


def _ask(actor: User) -> ApprovalRequest:
    customer = Customer.objects.create(number=f"c-{Customer.objects.count()}")
    return services.ask(
        KIND, subject=customer, payload={"to": "x"}, summary="Rename", reason="typo", actor=actor
    )


def test_approve_executes_once_and_names_who(ann: User, max_: User) -> None:
    request = _ask(ann)
    services.approve(request, actor=max_, comment="fine")
    assert executed == [request.pk]
    request.refresh_from_db()
    assert (request.state, request.decided_by, request.comment) == ("executed", max_, "fine")
    events = Event.objects.filter(verb__startswith="approvals.").order_by("id")
    assert list(events.values_list("verb", "actor__username")) == [
        ("approvals.asked", "ann"),
        ("approvals.approved", "max"),
        ("approvals.executed", "max"),
    ]


def test_approve_a_second_time_is_refused(ann: User, max_: User) -> None:
    request = _ask(ann)
    stale = ApprovalRequest.objects.get(pk=request.pk)
    services.approve(request, actor=max_)
    with pytest.raises(services.AlreadyDecidedError):
        services.approve(stale, actor=max_)
    assert executed == [request.pk]


def test_maker_cannot_decide_even_as_superuser(db: None) -> None:
    root = make_person("root")
    root.is_superuser = True
    root.save()
    request = _ask(root)
    with pytest.raises(PermissionDenied):
        services.approve(request, actor=root)
    with pytest.raises(PermissionDenied):
        services.reject(request, actor=root, comment="no")
    assert executed == []
    assert Event.objects.filter(verb="approvals.approved", outcome="refused").count() == 1


def test_database_refuses_the_maker_as_checker(max_: User) -> None:
    request = _ask(max_)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApprovalRequest.objects.filter(pk=request.pk).update(
            state="approved", decided_by=max_, decided_at=timezone.now()
        )


def test_database_refuses_a_decision_by_nobody(max_: User) -> None:
    request = _ask(max_)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApprovalRequest.objects.filter(pk=request.pk).update(state="approved")


def test_approve_without_the_permission_is_refused(ann: User, eve: User) -> None:
    request = _ask(ann)
    with pytest.raises(PermissionDenied):
        services.approve(request, actor=eve)
    assert executed == []


def test_reject_needs_a_comment_and_calls_its_hook(ann: User, max_: User) -> None:
    request = _ask(ann)
    with pytest.raises(ValidationError):
        services.reject(request, actor=max_, comment=" ")
    services.reject(request, actor=max_, comment="not our fault")
    assert (executed, refused) == ([], [request.pk])


def test_request_that_ran_out_cannot_be_approved(ann: User, max_: User) -> None:
    request = _ask(ann)
    ApprovalRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(services.AlreadyDecidedError):
        services.approve(request, actor=max_)
    assert services.expire_old() == 1
    request.refresh_from_db()
    assert (request.state, executed, refused) == ("expired", [], [request.pk])


def test_changed_payload_voids_the_request_and_says_why(ann: User, max_: User) -> None:
    request = _ask(ann)
    ApprovalRequest.objects.update(payload={"to": "y"})
    services.approve(request, actor=max_)
    request.refresh_from_db()
    assert (request.state, executed, refused) == ("void", [], [request.pk])
    assert "changed afterwards" in request.outcome


def test_failing_execution_leaves_the_request_undecided(
    ann: User, max_: User, rule: registry.Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(request: ApprovalRequest) -> None:
        raise RuntimeError(request.pk)

    monkeypatch.setitem(
        registry._rules, KIND, registry.Rule(KIND, rule.label, rule.permission, execute=fail)
    )
    request = _ask(ann)
    with pytest.raises(RuntimeError):
        services.approve(request, actor=max_)
    assert ApprovalRequest.objects.get().state == "requested"


def test_waiting_for_leaves_out_own_and_foreign_requests(ann: User, max_: User, eve: User) -> None:
    own, others = _ask(max_), _ask(ann)
    assert list(services.waiting_for(max_)) == [others]
    assert list(services.waiting_for(eve)) == []
    assert list(services.waiting_for(allow(eve, "payments.approve_refund"))) == [own, others]


def test_withdraw_is_for_the_maker_only(ann: User, max_: User) -> None:
    request = _ask(ann)
    with pytest.raises(PermissionDenied):
        services.withdraw(request, actor=max_)
    services.withdraw(request, actor=ann)
    assert refused == [request.pk]
    with pytest.raises(services.AlreadyDecidedError):
        services.approve(ApprovalRequest.objects.get(), actor=max_)


def test_ask_without_a_reason_is_refused(ann: User) -> None:
    customer = Customer.objects.create(number="1")
    with pytest.raises(ValidationError):
        services.ask(KIND, subject=customer, payload={}, summary="s", reason="", actor=ann)
