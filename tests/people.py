"""The people of the tests, as fixtures. Each name stands for one role everywhere.

ann   support, may reveal customers' data     eve   support, may not
max_  finance, approves                       oli   operations
kim   owner                                   ada   auditor
nia   analyst                                 pia   privacy officer
sol   sells (shop "sol-shop")                 sam   sells elsewhere (shop "sam-shop")
gus   staff without any role
"""

import pytest
from django.contrib.auth.models import Group, Permission

from backoffice.accounts.models import User
from sellers.models import Membership, Seller

PASSWORD = "correct horse battery"
ROLES = {
    "ann": "support",
    "eve": "support",
    "max": "finance",
    "oli": "ops",
    "kim": "owner",
    "ada": "auditor",
    "nia": "analyst",
    "pia": "privacy",
}
SELLERS = ("sol", "sam")


def make_person(username: str, *roles: str, staff: bool = True, full_name: str = "") -> User:
    """Return a person in the given roles; the password is PASSWORD."""
    first, _, last = (full_name or username.title()).partition(" ")
    user = User.objects.create_user(
        username,
        email=f"{username}@example.com",
        password=PASSWORD,
        is_staff=staff,
        first_name=first,
        last_name=last,
    )
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def allow(user: User, permission: str) -> User:
    """Give the permission "app.codename" to the person and return them, freshly loaded."""
    app, codename = permission.split(".")
    user.user_permissions.add(
        Permission.objects.get(content_type__app_label=app, codename=codename)
    )
    return User.objects.get(pk=user.pk)


def make_shop(user: User, code: str) -> Seller:
    """Return a new shop that the person works for."""
    seller = Seller.objects.create(code=code, name=code.replace("-", " ").title())
    Membership.objects.create(seller=seller, user=user)
    return seller


def everybody() -> dict[str, User]:
    """Return all of the people above, by user name ("max" is the one of the fixture `max_`)."""
    people = {name: make_person(name, role) for name, role in ROLES.items()}
    people["ann"] = allow(people["ann"], "customers.reveal_customer")
    people["gus"] = make_person("gus")
    for name in SELLERS:
        people[name] = make_person(name, "seller", staff=False)
        make_shop(people[name], f"{name}-shop")
    return people


@pytest.fixture
def ann(db: None) -> User:
    return allow(make_person("ann", "support"), "customers.reveal_customer")


@pytest.fixture
def eve(db: None) -> User:
    return make_person("eve", "support")


@pytest.fixture
def max_(db: None) -> User:
    return make_person("max", "finance")


@pytest.fixture
def oli(db: None) -> User:
    return make_person("oli", "ops")


@pytest.fixture
def kim(db: None) -> User:
    return make_person("kim", "owner")


@pytest.fixture
def ada(db: None) -> User:
    return make_person("ada", "auditor")


@pytest.fixture
def pia(db: None) -> User:
    return make_person("pia", "privacy")


@pytest.fixture
def nia(db: None) -> User:
    return make_person("nia", "analyst")


@pytest.fixture
def gus(db: None) -> User:
    return make_person("gus")


@pytest.fixture
def sol(db: None) -> User:
    user = make_person("sol", "seller", staff=False)
    make_shop(user, "sol-shop")
    return user


@pytest.fixture
def sam(db: None) -> User:
    user = make_person("sam", "seller", staff=False)
    make_shop(user, "sam-shop")
    return user
