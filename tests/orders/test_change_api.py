"""Change requests in the API: service accounts bring them in, people decide."""

import json
from typing import Any

import pytest
from django.test import Client

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from orders import services
from orders.models import ChangeRequest, Order
from tests.factories import make_line, make_order
from tests.people import make_person

URL = "/api/v1/change-requests/"
ADDRESS = "Quzzwick Lane 41, Vexhollow"


@pytest.fixture
def order(db: None) -> Order:
    order = make_order(status="delivered")
    make_line(order, 1_000, quantity=3)
    return order


def post(client: Client, url: str, /, **body: Any) -> tuple[int, dict[str, Any]]:
    response = client.post(url, json.dumps(body), content_type="application/json")
    return response.status_code, response.json()


def body_of(order: Order, **more: Any) -> dict[str, Any]:
    lines = [{"line": 1, "quantity": 2}]
    return {
        "order": order.number,
        "kind": "return",
        "why": "damaged",
        "lines": lines,
        "reference": "shop-1",
        **more,
    }


def test_request_is_brought_in_once_by_its_reference(
    client: Client, eve: User, order: Order
) -> None:
    client.force_login(eve)
    code, first = post(client, URL, **body_of(order))
    assert (code, first["state"], first["lines"]) == (
        201,
        "requested",
        [{"line": 1, "quantity": 2, "received": 0}],
    )
    code, again = post(client, URL, **body_of(order))
    assert (code, again["number"], ChangeRequest.objects.count()) == (200, first["number"], 1)
    code, refused = post(client, URL, **body_of(order, why="late"))
    assert (code, list(refused)) == (400, ["reference"])
    assert Event.objects.filter(verb="orders.change_requested").count() == 1


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"lines": [{"line": 1, "quantity": 4}]}, "lines"),
        ({"lines": [{"line": 7, "quantity": 1}]}, "lines"),
        ({"lines": [{"line": 1, "quantity": 1}, {"line": 1, "quantity": 1}]}, "lines"),
        ({"kind": "swap"}, "kind"),
        ({"why": "other"}, "note"),
        ({"reference": ""}, "reference"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_field(
    client: Client, eve: User, order: Order, more: dict[str, Any], field: str
) -> None:
    client.force_login(eve)
    code, refused = post(client, URL, **body_of(order, **more))
    assert (code, list(refused)) == (400, [field])
    assert not ChangeRequest.objects.exists()


def test_address_is_answered_as_a_mask(client: Client, eve: User) -> None:
    order = make_order(1_000)
    client.force_login(eve)
    asked = body_of(order, kind="address", why="moved", lines=[], address=ADDRESS)
    code, body = post(client, URL, **asked)
    assert (code, "Quzzwick" in str(body), bool(body["address"])) == (201, False, True)
    assert "Quzzwick" not in client.get(f"{URL}{body['number']}/").content.decode()


def test_who_brought_it_in_takes_it_back(client: Client, eve: User, order: Order) -> None:
    client.force_login(eve)
    _code, made = post(client, URL, **body_of(order))
    code, body = post(client, f"{URL}{made['number']}/withdraw/", reason="Thought again")
    assert (code, body["state"]) == (200, "withdrawn")
    code, _body = post(client, f"{URL}{made['number']}/withdraw/", reason="Again")
    assert code == 400


def test_who_may_not_take_requests_down_brings_none_in(
    client: Client, max_: User, nia: User, sol: User, order: Order
) -> None:
    for person, expected in ((max_, 403), (nia, 403), (sol, 403)):
        client.force_login(person)
        assert post(client, URL, **body_of(order))[0] == expected
    client.force_login(max_)
    assert client.get(URL).status_code == 200
    assert not ChangeRequest.objects.exists()


def test_program_brings_in_and_does_not_decide(order: Order) -> None:
    robot = make_person("shop", "support")
    User.objects.filter(pk=robot.pk).update(kind="service")
    robot = User.objects.get(pk=robot.pk)
    line = order.lines.get()
    asked = services.Asked(kind="return", why="damaged", reference="shop-1", pieces={line: 1})
    change = services.ask_change(order, asked, actor=robot)
    assert change.asked_by == robot
    assert not robot.has_perm("orders.decide_changerequest")
    assert not robot.has_perm("orders.receive_changerequest")
