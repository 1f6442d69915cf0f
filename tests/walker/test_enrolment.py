"""Who must have a second factor and has none reaches nothing but enrolment, at every address."""

import pytest
from django.test import Client
from pytest_django import Settings

from backoffice.accounts import enrolment
from backoffice.accounts.models import User
from tests.walker.addresses import addresses
from tests.walker.registry import visits
from tests.walker.world import World


@pytest.mark.sqlite  # what a middleware refuses, no database decides
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ["kim", "sol"])
def test_without_a_factor_every_page_leads_to_enrolment(
    name: str, method: str, world: World, settings: Settings
) -> None:
    settings.BACKOFFICE_SECOND_FACTOR_GRACE_DAYS = 0
    client = Client()
    client.force_login(User.objects.get(username=name))
    shown = set()
    for visit in visits(addresses(), world, method):
        if visit.address in enrolment.OPEN:
            continue
        answer = client.get(visit.url) if method == "GET" else client.post(visit.url)
        led = (answer.status_code, answer.get("Location")) == (302, "/account/factors/")
        refused = answer.status_code == 403 and visit.url.startswith("/api/")
        if not (led or refused):
            shown.add(visit.address.split(":")[-1])
            client.force_login(User.objects.get(username=name))  # it may have been the way out
    assert shown <= enrolment.OPEN_OF_SITES
