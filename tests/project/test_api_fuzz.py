"""The API against generated requests: no 5xx, and no answer that its description does not name.

schemathesis makes requests that fit the description and such that do not, for every operation, and
judges each answer: status, type and shape of the content, headers. Here a few of each;
`make fuzz-api` makes many.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as examples
from hypothesis.strategies import booleans
from pytest_django import Settings
from schemathesis import GenerationMode, checks
from schemathesis.core.failures import FailureGroup

from backoffice.accounts import scopes, tokens
from backoffice.accounts.models import User
from backoffice.site import api_schema
from tests.people import allow, make_person
from tests.walker.world import build

EXAMPLES = int(os.environ.get("BACKOFFICE_FUZZ_EXAMPLES", "4"))
CHECKS = (
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
)


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """Keep the test's connection open between requests, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@dataclass(frozen=True)
class Fuzz:
    """The header of somebody who may do everything there is, and rows: resource -> its key."""

    bearer: str
    keys: Mapping[str, str]


@pytest.fixture
def fuzz(request: pytest.FixtureRequest, settings: Settings, db: None) -> Fuzz:
    """Return who asks, in a world that has every kind of row."""
    settings.BACKOFFICE_API_PER_MINUTE = settings.BACKOFFICE_API_ADDRESS_PER_MINUTE = 0
    names = ("ann", "eve", "max_", "oli", "kim", "ada", "nia", "gus", "sol", "sam")
    people: dict[str, User] = {name.rstrip("_"): request.getfixturevalue(name) for name in names}
    rows: Any = build(people).rows
    user = make_person("fuzz", "support", "finance", "ops", "owner")
    user = allow(allow(user, "sellers.add_product"), "customers.change_customer")
    wish = tokens.Wish("Fuzz", list(scopes.known()), 1)
    keys = {
        "approvals": str(rows["approvalrequest"].pk),
        "change-requests": str(rows["changerequest"].number),
        "customers": rows["customer"].number,
        "imports": str(rows["importjob"].public_id),
        "orders": rows["order"].number,
        "payments": str(rows["payment"].pk),
        "products": str(rows["product"].pk),
        "refunds": str(rows["refund"].number),
        "returns": rows["return"].number,
        "sellers": rows["seller"].code,
    }
    return Fuzz(f"Bearer {tokens.make(user, wish, actor=user, reason='Fuzz').text}", keys)


def described(fuzz: Fuzz) -> Any:
    headers = {"Authorization": fuzz.bearer}
    return schemathesis.openapi.from_wsgi(
        "/api/v1/schema/", get_wsgi_application(), headers=headers
    )


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_operation_answers_as_described(fuzz: Fuzz, mode: GenerationMode) -> None:
    statuses = Counter[int]()
    for found in described(fuzz).get_all_operations():
        statuses += _try(found.ok(), mode, fuzz)
    if mode == GenerationMode.POSITIVE:
        assert {200, 400, 403, 404} <= set(statuses), statuses


def _try(operation: Any, mode: GenerationMode, fuzz: Fuzz) -> Counter[int]:
    """Send what is made up; now and then to a row that is there, in whatever state it is."""
    statuses = Counter[int]()

    @seed(7)
    @examples(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), real=booleans())
    def run(case: Any, real: bool) -> None:  # noqa: FBT001 - hypothesis gives it
        headers = {"Authorization": fuzz.bearer}
        if real and case.path_parameters:
            key = fuzz.keys[operation.path.split("/")[3]]
            case.path_parameters = dict.fromkeys(case.path_parameters, key)
            headers["If-Match"] = "*"
        answer = case.call_and_validate(headers=headers, checks=list(CHECKS))
        statuses[answer.status_code] += 1

    run()
    return statuses


def test_fuzz_finds_what_is_not_described(fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch) -> None:
    """A status that is struck from the description is found: the test above can fail."""
    whole = api_schema._complete

    def without_404(path: str, method: str, operation: dict[str, Any]) -> None:
        whole(path, method, operation)
        operation["responses"].pop("404", None)

    monkeypatch.setattr(api_schema, "_complete", without_404)
    operation = described(fuzz)["/api/v1/customers/{number}/"]["GET"]
    with pytest.raises(FailureGroup, match="Undocumented status code"):
        _try(operation, GenerationMode.POSITIVE, fuzz)
