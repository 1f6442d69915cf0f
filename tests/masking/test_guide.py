"""The guide to who sees personal data: its examples run, and its table is whole."""

import re

from django.apps import AppConfig

from backoffice.accounts.models import User
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import verbs
from backoffice.masking.models import Grant
from customers.models import Customer
from tests import guides

GUIDE = guides.text("privacy")


def test_examples_run(eve: User, kim: User) -> None:
    customer = Customer.objects.create(number="1")
    names = guides.run("privacy", eve=eve, kim=kim, customer=customer, AppConfig=AppConfig)
    assert names["why"].decided_by.rule.name == "role"
    assert ApprovalRequest.objects.get().maker == eve
    grant = Grant.objects.get()
    assert (grant.user, grant.given_by, grant.ended_by) == (eve, kim, kim)


def test_every_event_that_gives_sight_of_personal_data_is_in_the_table() -> None:
    ours = [verb for verb in verbs.personal() if not verb.startswith(("test", "example"))]
    assert [verb for verb in ours if f"`{verb}`" not in GUIDE] == []


def test_table_names_no_event_that_there_is_not() -> None:
    named = set(re.findall(r"^\| ([^|]*`[a-z]+\.[a-z_*]+`[^|]*) \|", GUIDE, re.MULTILINE))
    found = {verb for cell in named for verb in re.findall(r"`([a-z]+\.[a-z_*]+)`", cell)}
    known = {verb for verb, _text in verbs.choices()}
    apps = {verb.split(".")[0] for verb in known}
    assert len(found) > 30
    for verb in found:
        start = verb.rstrip("*")
        assert any(one.startswith(start) for one in known) or start.split(".")[0] not in apps, verb
