"""Access to one record for a short time: asked for, given by somebody else, and over in time."""

import datetime as dt
from http import HTTPStatus

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from guardian.models import UserObjectPermission
from guardian.shortcuts import assign_perm

from backoffice import policy
from backoffice.accounts.models import Kind, User
from backoffice.approvals import delegations
from backoffice.approvals import services as approvals
from backoffice.approvals.grants import KIND
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.context import in_the_name_of_another
from backoffice.audit.models import Event
from backoffice.masking.models import Grant
from backoffice.masking.services import (
    GRANT_ENDED,
    GRANTED,
    RevealRefusedError,
    end_expired_grants,
    end_grant,
    give_grant,
    request_grant,
    reveal,
)
from customers.models import Customer
from tests.clients import signed_in
from tests.masking.conftest import PHONE
from tests.masking.test_services import WHY, make_customer


@pytest.fixture
def customer(db: None) -> Customer:
    return make_customer()


@pytest.fixture
def grant(customer: Customer, eve: User, max_: User) -> Grant:
    return give_grant(customer, user=eve, actor=max_, reason="delivery")


def may_reveal(user: User, customer: Customer) -> bool:
    return policy.may(User.objects.get(pk=user.pk), "reveal", customer).allowed


def expire(grant: Grant) -> None:
    past = timezone.now() - dt.timedelta(seconds=1)
    Grant.objects.filter(pk=grant.pk).update(
        starts_at=past - dt.timedelta(minutes=30), expires_at=past
    )


def test_asking_waits_for_somebody_else(customer: Customer, eve: User, max_: User) -> None:
    request = request_grant(customer, actor=eve, reason="the carrier calls")
    assert (request.state, request.maker, request.kind) == ("requested", eve, KIND)
    assert str(customer.pk) in request.subject_id
    assert not may_reveal(eve, customer)
    assert list(approvals.waiting_for(max_)) == [request]


def test_approval_opens_this_record_and_no_other(customer: Customer, eve: User, max_: User) -> None:
    other = make_customer("999")
    before = timezone.now()
    request = request_grant(customer, actor=eve, reason="the carrier calls")
    approvals.approve(request, actor=max_)
    grant = Grant.objects.get()
    assert (grant.user, grant.given_by, grant.request_id) == (eve, max_, request.pk)
    assert dt.timedelta(minutes=30) <= grant.expires_at - before < dt.timedelta(minutes=31)
    assert reveal(customer, "phone", actor=eve, reason=WHY, fresh=True).text == PHONE
    with pytest.raises(RevealRefusedError):
        reveal(other, "phone", actor=eve, reason=WHY, fresh=True)


def test_rejection_opens_nothing(customer: Customer, eve: User, max_: User) -> None:
    request = request_grant(customer, actor=eve, reason="the carrier calls")
    approvals.reject(request, actor=max_, comment="no need")
    assert (may_reveal(eve, customer), Grant.objects.count()) == (False, 0)


def test_maker_cannot_approve_their_own_request(customer: Customer, kim: User) -> None:
    request = request_grant(customer, actor=kim, reason="curious")
    with pytest.raises(PermissionDenied):
        approvals.approve(request, actor=kim)
    assert Grant.objects.count() == 0


def test_approver_needs_the_right_to_give(customer: Customer, eve: User, oli: User) -> None:
    request = request_grant(customer, actor=eve, reason="the carrier calls")
    with pytest.raises(PermissionDenied):
        approvals.approve(request, actor=oli)
    assert Grant.objects.count() == 0


def test_nobody_asks_in_the_name_of_another(customer: Customer, eve: User, kim: User) -> None:
    with in_the_name_of_another(kim.pk), pytest.raises(PermissionDenied):
        request_grant(customer, actor=eve, reason="Called back")
    assert request_grant(customer, actor=eve, reason="Called back").pk


def test_asking_twice_is_refused_while_the_first_waits(customer: Customer, eve: User) -> None:
    request_grant(customer, actor=eve, reason="the carrier calls")
    with pytest.raises(ValidationError):
        request_grant(customer, actor=eve, reason="again")
    assert ApprovalRequest.objects.count() == 1


def test_asking_needs_a_reason_and_the_right_to_see_the_record(
    customer: Customer, eve: User, gus: User, ann: User
) -> None:
    with pytest.raises(ValidationError):
        request_grant(customer, actor=eve, reason=" ")
    with pytest.raises(PermissionDenied):
        request_grant(customer, actor=gus, reason="x")
    with pytest.raises(ValidationError):
        request_grant(customer, actor=ann, reason="may already")


def test_grant_counts_until_it_expires_and_no_longer(
    grant: Grant, customer: Customer, eve: User
) -> None:
    assert may_reveal(eve, customer)
    expire(grant)
    assert UserObjectPermission.objects.count() == 1
    assert not may_reveal(eve, customer)
    with pytest.raises(RevealRefusedError):
        reveal(customer, "phone", actor=eve, reason=WHY, fresh=True)


def test_grant_does_not_count_before_it_begins(grant: Grant, customer: Customer, eve: User) -> None:
    later = timezone.now() + dt.timedelta(minutes=5)
    Grant.objects.filter(pk=grant.pk).update(starts_at=later)
    assert not may_reveal(eve, customer)


def test_worker_takes_the_permission_of_expired_grants(
    grant: Grant, customer: Customer, eve: User
) -> None:
    assert end_expired_grants() == 0
    expire(grant)
    assert (end_expired_grants(), end_expired_grants()) == (1, 0)
    grant.refresh_from_db()
    assert (UserObjectPermission.objects.count(), grant.ended_by) == (0, None)
    assert grant.ended_at is not None
    event = Event.objects.get(verb=GRANT_ENDED)
    assert (event.actor, event.subject_id, event.context) == (
        None, str(customer.pk), {"grant": grant.pk, "user": eve.pk},
    )  # fmt: skip


def test_second_grant_outlives_the_first(
    grant: Grant, customer: Customer, eve: User, max_: User
) -> None:
    give_grant(customer, user=eve, actor=max_, reason="longer", minutes=60)
    expire(grant)
    end_expired_grants()
    assert may_reveal(eve, customer)


def test_grant_is_ended_early(grant: Grant, customer: Customer, eve: User, kim: User) -> None:
    with pytest.raises(PermissionDenied):
        end_grant(grant, actor=eve)
    end_grant(grant, actor=kim, reason="done")
    assert (may_reveal(eve, customer), UserObjectPermission.objects.count()) == (False, 0)


def test_object_permission_without_a_grant_never_counts(customer: Customer, eve: User) -> None:
    assign_perm("customers.reveal_customer", eve, customer)
    assert not may_reveal(eve, customer)


def test_grant_without_its_object_permission_never_counts(
    grant: Grant, customer: Customer, eve: User
) -> None:
    UserObjectPermission.objects.all().delete()
    assert not may_reveal(eve, customer)


def test_grant_opens_nothing_but_reveal(grant: Grant, customer: Customer, eve: User) -> None:
    assert not policy.may(eve, "delete", customer)
    # Nothing makes such a one; it would not count either.
    Grant.objects.filter(pk=grant.pk).update(permission="customers.delete_customer")
    assign_perm("customers.delete_customer", eve, customer)
    assert not policy.may(eve, "delete", customer)


def test_nobody_gives_to_themselves(customer: Customer, kim: User) -> None:
    with pytest.raises(PermissionDenied):
        give_grant(customer, user=kim, actor=kim, reason="curious")


def test_database_refuses_a_grant_to_oneself(grant: Grant) -> None:
    with pytest.raises(IntegrityError, match="grant_giver_is_not_receiver"), transaction.atomic():
        Grant.objects.filter(pk=grant.pk).update(given_by=grant.user)


def test_database_refuses_a_grant_that_ends_before_it_starts(grant: Grant) -> None:
    with pytest.raises(IntegrityError, match="grant_ends_after_start"), transaction.atomic():
        Grant.objects.filter(pk=grant.pk).update(expires_at=grant.starts_at)


def test_grant_needs_the_right_to_give_and_a_short_time(
    customer: Customer, eve: User, ann: User, max_: User
) -> None:
    with pytest.raises(PermissionDenied):
        give_grant(customer, user=eve, actor=ann, reason="x")
    for minutes in (0, -5, 8 * 60 + 1):
        with pytest.raises(ValidationError):
            give_grant(customer, user=eve, actor=max_, reason="x", minutes=minutes)


def test_giving_is_recorded(grant: Grant, customer: Customer, eve: User, max_: User) -> None:
    event = Event.objects.get(verb=GRANTED)
    assert (event.actor, event.subject_id, event.reason, event.context) == (
        max_, str(customer.pk), "delivery", {"grant": grant.pk, "user": eve.pk, "minutes": 30},
    )  # fmt: skip


def test_grant_of_an_inactive_person_does_not_count(
    grant: Grant, customer: Customer, eve: User
) -> None:
    User.objects.filter(pk=eve.pk).update(is_active=False)
    assert not may_reveal(eve, customer)
    assert not policy.may(AnonymousUser(), "reveal", customer)


def test_grant_opens_nothing_to_a_program(grant: Grant, customer: Customer, eve: User) -> None:
    """What is kept for people a program lacks, however it came to a grant."""
    assert may_reveal(eve, customer)
    User.objects.filter(pk=eve.pk).update(kind=Kind.SERVICE)
    assert not may_reveal(eve, customer)


@pytest.mark.parametrize("number", [1, 3])
def test_page_of_decisions_needs_a_constant_number_of_queries(
    grant: Grant, eve: User, max_: User, number: int
) -> None:
    rows = [make_customer(str(key)) for key in range(number)]
    for row in rows:
        give_grant(row, user=eve, actor=max_, reason="x")
    person = User.objects.get(pk=eve.pk)
    policy.may(person, "view", Customer)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        decisions = policy.may_many(person, "reveal", rows)
    assert ([bool(answer) for answer in decisions.values()], len(queries)) == ([True] * number, 2)


def test_stand_in_is_offered_nothing_that_they_cannot_do(
    customer: Customer, eve: User, max_: User, oli: User
) -> None:
    """What is let see hangs on the right of who agrees, so page and service both refuse."""
    request = request_grant(customer, actor=eve, reason="the carrier calls")
    begin, until = timezone.now() - dt.timedelta(hours=1), timezone.now() + dt.timedelta(days=1)
    delegations.hand_over(oli, starts_at=begin, until=until, reason="away", actor=max_)
    assert request not in approvals.waiting_for(oli)
    assert approvals.why_not(request, oli) == "Your role may not decide this."
    for name in ("approval", "approve"):  # it does not concern them
        page = signed_in(oli).get(reverse(f"admin:{name}", args=[request.pk]))
        assert page.status_code == HTTPStatus.NOT_FOUND
    with pytest.raises(PermissionDenied):
        approvals.approve(request, actor=oli)
    assert (request.state, Grant.objects.count()) == ("requested", 0)
    assert approvals.approve(request, actor=max_).state == "executed"
    assert may_reveal(eve, customer)
