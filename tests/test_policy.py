"""Who may do what, and which rows exist for whom."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist
from django.db import connection
from django.db.models import Model, QuerySet
from django.test.utils import CaptureQueriesContext

from backoffice import policy
from backoffice.accounts.models import User
from backoffice.masking import services as masking
from backoffice.policy import Decision, codename, explain, may, may_many, registry, scope
from customers.models import Customer
from tests.people import allow, make_person


@pytest.fixture
def customer(db: None) -> Customer:
    return Customer.objects.create(number="1", country="France")


@pytest.fixture
def french_only() -> Iterator[None]:
    """Let sellers see customers of France, for the test."""

    def narrow(user: User, rows: QuerySet[Customer]) -> QuerySet[Customer]:
        return rows.filter(country="France")

    before = dict(policy.registry.scopes)
    policy.registry.scopes.pop((Customer, policy.SELLERS), None)
    policy.register_scope(Customer, policy.SELLERS, narrow)
    yield
    policy.registry.scopes.clear()
    policy.registry.scopes.update(before)


def test_role_gives_and_names_its_rule(customer: Customer, eve: User) -> None:
    assert may(eve, "change", customer) == Decision(
        allowed=True, rule="a role gives customers.change_customer"
    )
    assert may(eve, "reveal", customer, "phone") == Decision(
        allowed=False, rule="no role gives customers.reveal_customer"
    )


def test_permission_of_a_person_counts_like_one_of_a_role(customer: Customer) -> None:
    person = allow(make_person("abe"), "customers.view_customer")
    assert (bool(may(person, "view", customer)), bool(may(person, "change", customer))) == (
        True,
        False,
    )


def test_staff_without_a_role_may_nothing(customer: Customer, gus: User) -> None:
    actions = ["view", "add", "change", "delete", "reveal", "export", "import"]
    assert [bool(may(gus, action, Customer)) for action in actions] == [False] * 7
    assert [bool(may(gus, action, customer)) for action in actions] == [False] * 7


def test_inactive_and_unknown_people_may_nothing(customer: Customer) -> None:
    root = User.objects.create_superuser("root", password="x")
    assert may(root, "reveal", customer) == Decision(allowed=True, rule="superuser")
    root.is_active = False
    for person in (root, AnonymousUser()):
        assert may(person, "view", customer).rule == "not signed in, or not active any more"
        assert not scope(person, Customer.objects.all()).exists()


def test_full_name_of_a_permission_needs_no_model(eve: User, max_: User) -> None:
    assert bool(may(max_, "masking.give_grant", None)) is True
    assert bool(may(eve, "masking.give_grant", None)) is False


def test_short_action_needs_a_model(eve: User) -> None:
    with pytest.raises(ValueError, match="needs a model"):
        may(eve, "view", None)


def test_unknown_field_is_an_error(customer: Customer, eve: User) -> None:
    with pytest.raises(FieldDoesNotExist):
        may(eve, "reveal", customer, "fone")


def test_codename_of_an_action(customer: Customer) -> None:
    assert [codename("export", Customer), codename("a.b_c", None)] == [
        "customers.export_customer",
        "a.b_c",
    ]


def test_decision_is_true_only_when_it_allows() -> None:
    assert (bool(Decision(True, "x")), bool(Decision(False, "x"))) == (True, False)


def test_staff_see_all_rows_and_sellers_none_without_a_scope(
    customer: Customer, eve: User, sol: User
) -> None:
    rows = Customer.objects.all()
    assert (list(scope(eve, rows)), list(scope(sol, rows))) == ([customer], [])


def test_seller_sees_the_rows_of_the_scope(
    french_only: None, customer: Customer, sol: User
) -> None:
    Customer.objects.create(number="2", country="Spain")
    assert list(scope(sol, Customer.objects.all())) == [customer]


def test_staff_on_the_seller_site_are_narrowed_too(
    french_only: None, customer: Customer, eve: User
) -> None:
    Customer.objects.create(number="2", country="Spain")
    assert list(scope(eve, Customer.objects.all(), site="seller")) == [customer]


def test_seller_is_never_on_the_staff_site(
    french_only: None, customer: Customer, sol: User
) -> None:
    assert list(scope(sol, Customer.objects.all(), site="admin")) == []


def test_record_outside_the_scope_is_refused_whatever_the_role(
    french_only: None, customer: Customer
) -> None:
    seller = allow(make_person("zoe", staff=False), "customers.view_customer")
    spanish = Customer.objects.create(number="2", country="Spain")
    assert {key: bool(answer) for key, answer in may_many(
        seller, "view", [customer, spanish]
    ).items()} == {customer.pk: True, spanish.pk: False}  # fmt: skip
    assert may(seller, "view", spanish).rule == "outside your scope"


def test_second_scope_for_a_model_is_an_error(french_only: None) -> None:
    with pytest.raises(ValueError, match="already"):
        policy.register_scope(Customer, policy.SELLERS, lambda _user, rows: rows)


def test_no_rows_need_no_decision(eve: User) -> None:
    assert may_many(eve, "view", []) == {}


@pytest.fixture
def none_in_spain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deny customers of Spain, whatever gives the right."""

    def refuse(_user: object, _right: str, rows: Sequence[Model]) -> dict[Any, str]:
        spanish = [row for row in rows if isinstance(row, Customer) and row.country == "Spain"]
        return {row.pk: "not of Spain" for row in spanish}

    monkeypatch.setattr(registry, "denials", [*registry.denials, refuse])


@pytest.mark.parametrize("count", [1, 25, 100])
@pytest.mark.parametrize("role", ["support", "owner"])
def test_page_of_rows_takes_a_constant_number_of_queries(
    count: int, role: str, none_in_spain: None, french_only: None, kim: User
) -> None:
    """Every second row has a grant, every fifth a denial; the seller's scope is asked too."""
    person = make_person("zoe", role)
    rows = [
        Customer(number=str(n), country="Spain" if n % 5 == 4 else "France") for n in range(count)
    ]
    rows = Customer.objects.bulk_create(rows)
    for row in rows[::2]:
        masking.give_grant(row, user=person, actor=kim, reason="a call")
    person = User.objects.get(pk=person.pk)
    ContentType.objects.get_for_model(Customer)
    with CaptureQueriesContext(connection) as taken:
        found = may_many(person, "reveal", rows, site="seller")
    wanted = {row.pk: place % 2 == 0 and place % 5 != 4 for place, row in enumerate(rows)}
    assert {key: bool(answer) for key, answer in found.items()} == wanted
    # The person's rights (own and by role), the grants, guardian's rows, the scope.
    assert len(taken) == 5, [query["sql"][:100] for query in taken]


def test_right_by_role_needs_no_look_at_grants(customer: Customer, eve: User) -> None:
    may(eve, "view", customer)
    with CaptureQueriesContext(connection) as taken:
        assert may_many(eve, "change", [customer])[customer.pk].allowed
    assert len(taken) == 0


@pytest.mark.parametrize("action", ["view", "change", "reveal", "export", "delete"])
def test_answer_in_short_and_in_full_agree(
    action: str, customer: Customer, none_in_spain: None, request: pytest.FixtureRequest
) -> None:
    spanish = Customer.objects.create(number="2", country="Spain")
    for name in ("ann", "eve", "kim", "gus", "sol", "pia"):
        person = request.getfixturevalue(name)
        for target in (customer, spanish, Customer):
            for site in ("admin", "seller"):
                full = explain(person, action, target, site=site)
                assert may(person, action, target, site=site) == full.decision
                assert full.decided_by in full.findings
