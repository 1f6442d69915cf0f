"""Our API, channel by channel."""

from typing import Any

import pytest

from customers.models import Customer
from tests.leaks.channels import Channels
from tests.leaks.stage import (
    BAD_REQUEST,
    OK,
    SECOND,
    Stage,
)
from tests.walker.walk import read

API = "/api/v1/customers/"
channels = Channels()


@pytest.mark.parametrize("name", channels)
def test_channel(name: str, stage: Stage) -> None:
    channels[name](stage)


def detail(stage: Stage, customer: Customer | None = None) -> str:
    """Return the address of a customer in the API."""
    return f"{API}{(customer or stage.customer).number}/"


def write(stage: Stage, method: str, data: dict[str, Any], customer: Customer | None = None) -> Any:
    """PUT or PATCH a customer as somebody who read it just before."""
    client, url = stage.client(), detail(stage, customer)
    etag = client.get(url).headers["ETag"]
    call = getattr(client, method)
    return read(call(url, data, content_type="application/json", headers={"If-Match": etag}))


@channels("DRF list json", "Cache-Control on API")
def _api_list(stage: Stage) -> None:
    for name in ("customers", "orders", "returns", "payments", "refunds"):
        answer = stage.ask(f"/api/v1/{name}/")
        assert (answer.status, answer.headers["Cache-Control"]) == (OK, "no-store")


@channels(
    "DRF browsable customers detail",
    "DRF browsable orders list (FK select in form)",
    "DRF browsable filter form",
)
def _no_browsable_api(stage: Stage) -> None:
    for url in (detail(stage), "/api/v1/orders/", f"{API}?format=api"):
        for accept in ("text/html", "text/html;q=0.9,*/*;q=0.1"):
            answer = stage.ask(url, headers={"Accept": accept})
            assert "html" not in answer.headers["Content-Type"], url


@channels("DRF orders OPTIONS")
def _options(stage: Stage) -> None:
    for url in ("/api/v1/orders/", detail(stage)):
        stage.tells_nothing(read(stage.client().options(url)))


@channels(
    "DRF ?search oracle",
    "DRF ?email__startswith filter oracle",
    "DRF ?ordering=email oracle",
    "DRF ?ordering=birth_date (not in serializer)",
)
def _api_queries(stage: Stage) -> None:
    for query in ("search=q", "email__startswith=q", "ordering=email", "ordering=born", "email=q",
                  "born__lt=1990-01-01", "customer__email=q", "phone_index=a"):  # fmt: skip
        for name in ("customers", "orders"):
            stage.refuses(f"/api/v1/{name}/?{query}", stage.root)


@channels("DRF unique validator as existence oracle")
def _taken_or_not(stage: Stage) -> None:
    """See that a value that somebody has already is answered as one that nobody has."""
    free = {"email": "qfree@hid.example", "phone": "+44 7700 900 731"}
    taken = {name: SECOND[name] for name in free}
    answers = []
    for values in (free, taken):
        answer = write(stage, "patch", {**values, "reason": "asked"}, stage.twins[0])
        shown = [part for part in answer.text.split(",") if "updated_at" not in part]
        answers.append((answer.status, shown))
    assert answers[0] == answers[1]
    assert answers[0][0] == OK


@channels("DRF GET masked, then PUT back")
def _put_back(stage: Stage) -> None:
    before = stage.raw()
    given = stage.client().get(detail(stage)).json()
    answer = write(stage, "put", {**given, "reason": "asked"})
    assert (answer.status, stage.raw()) == (OK, before)


@channels("DRF PATCH of a mask")
def _patch_a_mask(stage: Stage) -> None:
    before = stage.raw()
    shown = str(stage.customer.phone)
    assert write(stage, "patch", {"phone": shown}).status == OK
    for other in (f"{shown}1", "•••", str(stage.customer.email)):
        assert write(stage, "patch", {"phone": other}).status == BAD_REQUEST
    assert stage.raw() == before
