"""Two customers become one: asked for, approved by another, done once, undone exactly."""

import threading
from collections.abc import Callable

import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connections
from django.db.models import Sum

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import Event
from backoffice.masking.models import Grant
from backoffice.masking.services import give_grant
from backoffice.masking.values import unseal
from backoffice.policy import may
from customers.models import Customer, CustomerMerge
from customers.services import belongings, edit_customer, request_merge, request_undo
from customers.services.merging import MERGE_RULE, UNDO_RULE
from orders.models import Order, Return
from payments.models import Refund
from payments.services import request_refund
from tests.factories import AT, make_customer, make_order, make_payment
from tests.people import allow

LEFT = {"name": "Anna Almeida", "email": "anna@example.com", "phone": "+351 210 555 0111"}
RIGHT = {"name": "Ana Almeida", "email": "ana@example.org", "country": "Portugal"}


@pytest.fixture
def kept(db: None) -> Customer:
    return make_customer(number="K1", **LEFT)


@pytest.fixture
def gone(db: None) -> Customer:
    return make_customer(number="G1", **RIGHT)


def ask(kept: Customer, gone: Customer, eve: User, *taken: str) -> CustomerMerge:
    return request_merge(kept, gone, taken=taken or ("email",), actor=eve, reason="One person")


def approve(merge: CustomerMerge, kim: User) -> ApprovalRequest:
    assert merge.approval is not None
    return approvals.approve(merge.approval, actor=kim)


def undo(merge: CustomerMerge, eve: User, kim: User) -> ApprovalRequest:
    return approvals.approve(request_undo(merge, actor=eve, reason="Two after all"), actor=kim)


def clear(customer: Customer, *names: str) -> list[object]:
    row = Customer.objects.get(pk=customer.pk)
    values = [getattr(row, name) for name in names]
    return [unseal(value) if value and name != "country" else value
            for name, value in zip(names, values, strict=True)]  # fmt: skip


def totals() -> dict[str, int | None]:
    return Order.objects.aggregate(total=Sum("total_minor"))


def test_merge_moves_all_and_leaves_a_row_that_points(
    kept: Customer, gone: Customer, eve: User, kim: User
) -> None:
    mine, theirs = make_order(500, customer=kept), make_order(700, 300, customer=gone)
    back = Return.objects.create(
        number="C1", customer=gone, order=theirs, returned_at=AT, total_minor=-300
    )
    before = totals()
    merge = ask(kept, gone, eve, "email", "country")
    assert clear(kept, "email") == ["anna@example.com"]  # nothing moves before the decision
    assert approve(merge, kim).state == "executed"
    merge.refresh_from_db()
    gone.refresh_from_db()
    assert (merge.state, gone.merged_into_id, gone.number) == ("merged", kept.pk, "G1")
    assert clear(kept, "name", "email", "country") == [
        "Anna Almeida", "ana@example.org", "Portugal",
    ]  # fmt: skip
    assert set(kept.orders.values_list("pk", flat=True)) == {mine.pk, theirs.pk}
    assert merge.moved == {"orders.order": [theirs.pk], "orders.return": [back.pk]}
    assert totals() == before
    newest = theirs.history.latest()
    assert (newest.customer_id, newest.history_user) == (kept.pk, kim)
    told = Event.objects.filter(verb="customers.merged")
    assert [told.about(one).count() for one in (kept, gone)] == [1, 1]
    # Numbers may be addresses, and what stands in an event cannot be erased.
    assert told.get().context == {
        "merge": merge.pk,
        "rows": {"orders.order": 1, "orders.return": 1},
    }


def test_undo_brings_back_exactly_what_moved(
    kept: Customer, gone: Customer, eve: User, kim: User
) -> None:
    mine, theirs = make_order(500, customer=kept), make_order(700, customer=gone)
    merge = ask(kept, gone, eve, "name", "email", "country")
    approve(merge, kim)
    later = make_order(900, customer=kept)
    assert undo(merge, eve, kim).state == "executed"
    merge.refresh_from_db()
    gone.refresh_from_db()
    assert (merge.state, merge.stayed, gone.merged_into_id) == ("undone", {}, None)
    assert clear(kept, "name", "email", "country") == ["Anna Almeida", "anna@example.com", ""]
    assert clear(gone, "name", "email", "country") == [
        "Ana Almeida", "ana@example.org", "Portugal",
    ]  # fmt: skip
    assert set(kept.orders.values_list("pk", flat=True)) == {mine.pk, later.pk}
    assert list(gone.orders.values_list("pk", flat=True)) == [theirs.pk]
    told = Event.objects.filter(verb="customers.merge_undone")
    assert [told.about(one).count() for one in (kept, gone)] == [1, 1]


def test_approver_of_an_undo_reads_what_goes_back(
    kept: Customer, gone: Customer, eve: User, kim: User
) -> None:
    make_order(700, customer=gone)
    merge = ask(kept, gone, eve, "email", "country")
    approve(merge, kim)
    edit_customer(kept, changes={"country": "Malta"}, actor=eve, reason="moved")
    merge.refresh_from_db()
    request = request_undo(merge, actor=eve, reason="Two after all")
    told = [(one.label, one.before, one.after) for one in UNDO_RULE.effects(request)]
    assert told == [
        ("Customer G1", "leads to customer K1", "a customer of its own"),
        ("E-mail", "a•••••@e•••••.org", "a•••••@e•••••.com"),
        ("Country", "Malta", "Malta"),
        ("Orders", "", "1 go back"),
    ]
    assert clear(kept, "email") == ["ana@example.org"]  # told, not done


def test_undo_lists_what_was_changed_since_and_leaves_it(
    kept: Customer, gone: Customer, eve: User, kim: User
) -> None:
    theirs, other = make_order(700, customer=gone), make_customer(number="O1")
    merge = ask(kept, gone, eve, "email", "country")
    approve(merge, kim)
    edit_customer(kept, changes={"email": "new@example.com"}, actor=eve, reason="Wrote in")
    theirs.customer = other
    theirs.save()
    undo(merge, eve, kim)
    merge.refresh_from_db()
    assert merge.stayed == {"fields": ["email"], "orders.order": [theirs.pk]}
    assert clear(kept, "email", "country") == ["new@example.com", ""]
    assert Order.objects.get(pk=theirs.pk).customer_id == other.pk


def test_maker_does_not_approve_and_the_right_is_needed(
    kept: Customer, gone: Customer, eve: User, kim: User, max_: User
) -> None:
    with pytest.raises(PermissionDenied):
        ask(kept, gone, max_)
    merge = ask(kept, gone, kim)
    for person in (kim, eve):
        with pytest.raises(PermissionDenied):
            approve(merge, person)
    assert not Customer.objects.exclude(merged_into=None).exists()


@pytest.mark.parametrize("who", ["kept", "gone"])
def test_change_of_either_voids_the_approval(
    kept: Customer, gone: Customer, eve: User, kim: User, who: str
) -> None:
    merge = ask(kept, gone, eve)
    changed = {"kept": kept, "gone": gone}[who]
    edit_customer(changed, changes={"phone": "+351 210 555 0112"}, actor=eve, reason="New")
    assert approve(merge, kim).state == "void"
    merge.refresh_from_db()
    assert (merge.state, clear(kept, "email")) == ("dropped", ["anna@example.com"])


def test_rejected_merge_may_be_asked_for_again(
    kept: Customer, gone: Customer, eve: User, kim: User
) -> None:
    merge = ask(kept, gone, eve)
    with pytest.raises(ValidationError):
        ask(gone, kept, eve)
    assert merge.approval is not None
    approvals.reject(merge.approval, actor=kim, comment="Two people")
    assert ask(gone, kept, eve).state == "requested"


def test_what_cannot_be_merged_is_refused(
    kept: Customer, gone: Customer, eve: User, kim: User
) -> None:
    with pytest.raises(ValidationError):
        ask(kept, kept, eve)
    with pytest.raises(ValidationError):
        ask(kept, gone, eve, "number")
    approve(ask(kept, gone, eve), kim)
    other = make_customer(number="O1")
    for pair in ((other, gone), (gone, other)):
        with pytest.raises((ValidationError, PermissionDenied)):
            ask(Customer.objects.get(pk=pair[0].pk), Customer.objects.get(pk=pair[1].pk), eve)


def test_merged_customer_is_not_edited(
    kept: Customer, gone: Customer, eve: User, kim: User
) -> None:
    approve(ask(kept, gone, eve), kim)
    with pytest.raises(PermissionDenied):
        edit_customer(Customer.objects.get(pk=gone.pk), changes={"country": "Spain"}, actor=eve)
    # An object from before the merge does not help either.
    with pytest.raises(ValidationError):
        edit_customer(gone, changes={"country": "Spain"}, actor=eve)


def test_undo_of_a_merge_whose_winner_was_merged_is_void(
    kept: Customer, gone: Customer, eve: User, kim: User
) -> None:
    first = ask(kept, gone, eve)
    approve(first, kim)
    last = make_customer(number="L1")
    second = ask(last, Customer.objects.get(pk=kept.pk), eve)
    approve(second, kim)
    first.refresh_from_db()
    allow(eve, "customers.merge_customer")
    with pytest.raises(PermissionDenied):  # the one it was merged into is no customer any more
        request_undo(first, actor=eve, reason="Two after all")
    second.refresh_from_db()
    undo(second, eve, kim)
    assert undo(CustomerMerge.objects.get(pk=first.pk), eve, kim).state == "executed"


def test_grants_of_the_one_that_goes_end(
    kept: Customer, gone: Customer, eve: User, nia: User, kim: User
) -> None:
    give_grant(gone, user=nia, actor=allow(kim, "masking.give_grant"), reason="a call")
    approve(ask(kept, gone, eve), kim)
    assert not Grant.objects.live().exists()
    assert not nia.has_perm("customers.reveal_customer", kept)


@pytest.mark.parametrize(
    ("taken", "live"), [(("email",), 0), (("country", "phone"), 0), (("country",), 1)]
)
def test_grants_of_the_one_that_stays_end_where_values_come_in(
    kept: Customer, gone: Customer, eve: User, nia: User, kim: User,
    taken: tuple[str, ...], live: int,
) -> None:  # fmt: skip
    give_grant(kept, user=nia, actor=allow(kim, "masking.give_grant"), reason="a call")
    approve(ask(kept, gone, eve, *taken), kim)
    assert Grant.objects.live().count() == live
    assert bool(may(User.objects.get(pk=nia.pk), "reveal", kept)) is bool(live)


@pytest.mark.parametrize(("taken", "live"), [("email", 0), ("country", 1)])
def test_grants_of_the_merged_one_end_where_an_undo_brings_values_back(
    kept: Customer, gone: Customer, eve: User, nia: User, kim: User, taken: str, live: int
) -> None:
    merge = ask(kept, gone, eve, taken)
    approve(merge, kim)
    give_grant(kept, user=nia, actor=allow(kim, "masking.give_grant"), reason="a call")
    undo(merge, eve, kim)
    assert Grant.objects.live().count() == live


def test_refunds_come_along_with_their_orders(
    kept: Customer, gone: Customer, eve: User, kim: User
) -> None:
    order = make_order(700, customer=gone)
    make_payment(order)
    request_refund(order, order.total, actor=eve, reason="broken")
    assert ("Refunds", 1) in belongings.counts(gone)
    approve(ask(kept, gone, eve), kim)
    assert Refund.objects.filter(payment__order__customer=kept).count() == 1
    assert ("Refunds", 0) in belongings.counts(gone)


def test_every_relation_to_a_customer_is_registered() -> None:
    known = {belonging.model for belonging in belongings.registered()}
    pointing = {
        field.model
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.is_relation and field.concrete and field.related_model is Customer
        and not field.model._meta.label.startswith("customers.")
        and not hasattr(field.model, "history_type")
    }  # fmt: skip
    assert known == pointing


def at_once(*calls: Callable[[], object]) -> list[str]:
    """Do the calls in threads of their own; return the name of each error, or "done"."""
    barrier, said = threading.Barrier(len(calls)), []

    def run(call: Callable[[], object]) -> None:
        barrier.wait()
        try:
            call()
            said.append("done")
        except (ValidationError, PermissionDenied) as error:
            said.append(type(error).__name__)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(said)


@pytest.mark.django_db(transaction=True)
def test_of_crossing_requests_at_once_one_is_made(
    kept: Customer, gone: Customer, eve: User
) -> None:
    said = at_once(
        lambda: ask(kept, gone, eve), lambda: ask(gone, kept, eve), lambda: ask(kept, gone, eve)
    )
    assert said == ["ValidationError", "ValidationError", "done"]
    assert CustomerMerge.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_edit_and_merge_at_once_lose_nothing(
    kept: Customer, gone: Customer, eve: User, kim: User
) -> None:
    merge = ask(kept, gone, eve)
    at_once(
        lambda: approve(merge, kim),
        lambda: edit_customer(gone, changes={"country": "Spain"}, actor=eve),
        lambda: edit_customer(kept, changes={"country": "Spain"}, actor=eve),
    )
    merge.refresh_from_db()
    gone.refresh_from_db()
    assert merge.state in {"merged", "dropped"}
    assert (gone.merged_into_id is not None) == (merge.state == "merged")
    # Whoever was told that it is saved finds it; a merged row was not changed after the merge.
    assert clear(kept, "country") == ["Spain"]
    if merge.state == "merged":
        assert clear(gone, "country") == ["Portugal"]


def test_erased_customer_is_not_merged(
    kept: Customer, gone: Customer, eve: User, kim: User
) -> None:
    """Who holds a row from before the erasure gets as far as the lock, and no further."""
    Customer.objects.filter(pk=gone.pk).update(erased_at=AT)
    with pytest.raises(ValidationError, match="erased"):
        ask(kept, gone, eve)
    assert not CustomerMerge.objects.exists()


@pytest.mark.parametrize("who", ["K1", "G1"])
def test_erasure_since_it_was_asked_voids_a_merge(
    kept: Customer, gone: Customer, eve: User, kim: User, who: str
) -> None:
    merge = ask(kept, gone, eve)
    Customer.objects.filter(number=who).update(erased_at=AT)
    assert merge.approval_id is not None
    request = ApprovalRequest.objects.get(pk=merge.approval_id)
    assert request.snapshot["erased"] is False  # so that the approver is told before it runs
    request.decided_by = kim
    with pytest.raises(approvals.VoidError, match="erased"):
        MERGE_RULE.execute(request)
    assert approve(merge, kim).state == "void"
    assert not Customer.objects.exclude(merged_into=None).exists()


@pytest.mark.parametrize("who", ["K1", "G1"])
def test_erasure_since_it_was_asked_voids_an_undo(
    kept: Customer, gone: Customer, eve: User, kim: User, who: str
) -> None:
    merge = ask(kept, gone, eve)
    approve(merge, kim)
    request = request_undo(CustomerMerge.objects.get(), actor=eve, reason="Two after all")
    Customer.objects.filter(number=who).update(erased_at=AT)
    request.decided_by = kim
    with pytest.raises(approvals.VoidError, match="erased"):
        UNDO_RULE.execute(request)
    assert approvals.approve(request, actor=kim).state == "void"
    assert Customer.objects.get(number="G1").merged_into_id == kept.pk


def test_merge_compares_once_more_under_the_lock(
    kept: Customer, gone: Customer, eve: User, kim: User
) -> None:
    """An edit may commit between the look of the approval and the lock: it is seen there too."""
    merge = ask(kept, gone, eve)
    assert merge.approval_id is not None
    request = ApprovalRequest.objects.get(pk=merge.approval_id)
    request.decided_by = kim
    edit_customer(gone, changes={"country": "Spain"}, actor=eve)
    with pytest.raises(approvals.VoidError):
        MERGE_RULE.execute(request)
    assert not Customer.objects.exclude(merged_into=None).exists()
