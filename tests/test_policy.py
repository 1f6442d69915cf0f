"""Who may do what, and which rows exist for whom."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import FieldDoesNotExist
from django.db.models import QuerySet

from backoffice import policy
from backoffice.accounts.models import User
from backoffice.policy import Decision, codename, may, may_many, scope
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
