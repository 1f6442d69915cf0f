"""The surfaces that show rows, each compared with what the town says."""

import csv
import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.test import Client

from backoffice import policy
from backoffice.charts import registry as charts
from backoffice.charts.registry import Row, Scope
from backoffice.masking import clear, purposes
from customers.models import Customer
from orders.models import Order
from sellers.models import Product
from tests.agreement.town import MASKED, Somebody, Town

OK, BAD, FORBIDDEN, MISSING, PRECONDITION = 200, 400, 403, 404, 428
PROBE = purposes.register("test.agreement", "Compare an answer with what is hidden")
CHART = "reports.revenue_by_month"
_NAMES = {
    Customer: "customers.{}_customer",
    Order: "orders.{}_order",
    Product: "sellers.{}_product",
}
_PAGES = {Customer: "customers/customer", Order: "orders/order", Product: "sellers/product"}
_API = {Customer: "customers", Order: "orders", Product: "products"}


@dataclass(frozen=True)
class Sample:
    """Who, which record, which field of it, what they do."""

    who: Somebody
    record: Model
    field: str
    action: str

    @property
    def right(self) -> str:
        """The full name of the right."""
        return _NAMES[type(self.record)].format(self.action)

    @property
    def page(self) -> str:
        """The address of the record's page, where the person works."""
        return f"/{self.who.site}/{_PAGES[type(self.record)]}/{self.record.pk}/"

    @property
    def key(self) -> str:
        """What the API names the record by."""
        return str(getattr(self.record, "number", self.record.pk))

    def __str__(self) -> str:
        kind = type(self.record).__name__
        return f"{self.who} {self.action} {kind} {self.record.pk} {self.field}"


def draw(town: Town, lot: random.Random) -> Sample:
    """Return a sample of the town."""
    who = lot.choice(town.people)
    records: list[list[Any]] = [town.customers, town.customers, town.orders, town.products]
    record = lot.choice(lot.choice(records))
    if isinstance(record, Customer):
        action = lot.choice(["view", "view", "change", "reveal", "reveal", "export"])
        return Sample(who, record, lot.choice(MASKED), action)
    action = lot.choice(["view", "change"] if isinstance(record, Product) else ["view", "export"])
    return Sample(who, record, lot.choice(["name" if action == "change" else "created_at"]), action)


def compare(town: Town, sample: Sample, lot: random.Random) -> list[str]:
    """Ask policy, explainer and one surface; return what does not agree."""
    surface = lot.choice(_SURFACES[sample.action])
    complaints = [*_policy(town, sample), *surface(town, sample)]
    return [f"seed {town.seed}: {sample}: {text}" for text in complaints]


def _policy(town: Town, sample: Sample) -> list[str]:
    wanted = town.may(sample.who, sample.right, sample.record)
    field = sample.field if isinstance(sample.record, Customer) else None
    short = policy.may(sample.who.user, sample.action, sample.record, field)
    full = policy.explain(sample.who.user, sample.action, sample.record, field)
    found = []
    if short.allowed is not wanted:
        found.append(f"may says {short}")
    if full.decision != short:
        found.append(f"explain says {full.decision}, may {short}")
    if full.masked is not (field is not None):
        found.append("explain does not know that the field is masked")
    return found


def _said(what: str, wanted: bool, status: int, allowed: int = OK) -> list[str]:  # noqa: FBT001
    fine = status == allowed if wanted else status in {FORBIDDEN, MISSING}
    return [] if fine else [f"{what} answered {status}, wanted {'yes' if wanted else 'no'}"]


def _hidden(record: Model, text: str, what: str) -> list[str]:
    """Complain of each value of a customer that stands clear in an answer."""
    if not isinstance(record, Customer):
        return []
    secret = str(clear(record.email, purpose=PROBE)).partition("@")[0]
    return [f"{what} shows a clear value"] if secret in text else []


def page(town: Town, sample: Sample) -> list[str]:
    """Open the record's page, or its form."""
    if not sample.who.signs_in:
        return []
    may_see = town.may(sample.who, _NAMES[type(sample.record)].format("view"), sample.record)
    if sample.action == "change":
        answer = sample.who.client.get(f"{sample.page}change/?edit=1")
        offered = answer.status_code == OK and 'name="_save"' in answer.text
        wanted = may_see and town.may(sample.who, sample.right, sample.record)
        found = [] if offered is wanted else [f"the form is {offered}, wanted {wanted}"]
    else:
        answer = sample.who.client.get(f"{sample.page}change/")
        found = _said("the page", may_see, answer.status_code)
        if may_see and isinstance(sample.record, Customer):
            offers = f"/reveal/{sample.field}/" in answer.text
            wanted = town.may(sample.who, "customers.reveal_customer", sample.record)
            found += [] if offers is wanted else [f"the page offers a reveal: {offers}"]
    return found + _hidden(sample.record, answer.text, "the page")


def reveal(town: Town, sample: Sample) -> list[str]:
    """Reveal the field: the clear value comes to whom may, and to nobody else."""
    if not sample.who.signs_in:
        return []
    assert isinstance(sample.record, Customer)
    wanted = town.may(sample.who, sample.right, sample.record)
    why = {"purpose": "call", "text": "drawn by lot"}
    answer = sample.who.client.post(f"{sample.page}reveal/{sample.field}/", why)
    value = str(clear(getattr(sample.record, sample.field), purpose=PROBE))
    found = _said("the reveal", wanted, answer.status_code)
    shown = value in answer.text
    return found + ([] if shown is wanted else [f"the reveal shows the value: {shown}"])


def export(town: Town, sample: Sample) -> list[str]:
    """Export the list: the rows that exist for the person, masked, or nothing."""
    kind = type(sample.record)
    if not sample.who.signs_in or sample.who.site != policy.STAFF:
        return []
    asked = {"format": "csv", "reason": "drawn by lot"}
    address = f"/{sample.who.site}/{_PAGES[kind]}/export/"
    answer = sample.who.client.post(address, asked)
    wanted = town.has_right(sample.who, sample.right)
    found = _said("the export", wanted, answer.status_code)
    if answer.status_code != OK:
        return found
    text = b"".join(answer).decode("utf-8-sig")
    numbers = sorted(row[0] for row in list(csv.reader(io.StringIO(text)))[1:] if row)
    rows = town.customers if kind is Customer else town.orders
    expected = sorted(row.number for row in town.seen(sample.who, rows))
    if numbers != expected:
        found.append(f"the export holds {numbers}, wanted {expected}")
    return found + _hidden(sample.record, text, "the export")


def _call(sample: Sample, method: str, address: str) -> tuple[Any, bool]:
    """Call by session or, every second record, by token; return answer and whether by token."""
    by_token = sample.who.program or sample.record.pk % 2 == 0
    if not by_token:
        send = getattr(sample.who.client, method)
        return send(
            address,
            data="{}" if method == "patch" else None,
            **({"content_type": "application/json"} if method == "patch" else {}),
        ), False
    head = {"Authorization": f"Bearer {sample.who.token}"}
    send = getattr(Client(), method)
    if method == "patch":
        return send(address, "{}", content_type="application/json", headers=head), True
    return send(address, headers=head), True


def api(town: Town, sample: Sample) -> list[str]:
    """Read the record by the API, or try to change it."""
    kind = type(sample.record)
    if sample.who.blocked:
        return []
    changing = sample.action == "change"
    address = f"/api/v1/{_API[kind]}/{sample.key}/"
    answer, by_token = _call(sample, "patch" if changing else "get", address)
    scope = f"{_API[kind]}:{'write' if changing else 'read'}"
    right = _NAMES[kind].format("change" if changing else "view")
    opened = not by_token or scope in sample.who.opens
    wanted = opened and town.may(sample.who, right, sample.record)
    # Who may change is asked for the state that they saw.
    found = _said("the API", wanted, answer.status_code, PRECONDITION if changing else OK)
    if by_token:
        name = "change" if changing else "view"
        token = policy.Pass(scope, sample.who.opens)
        told = policy.explain(sample.who.user, name, sample.record, token=token).decision.allowed
        found += [] if told is wanted else [f"explain says {told} for the token"]
    if answer.status_code == OK and kind is Customer:
        shown, mask = answer.json()[sample.field], str(getattr(sample.record, sample.field))
        found += [] if shown == mask else [f"the API shows {shown}"]
    return found + _hidden(sample.record, answer.text, "the API")


def api_list(town: Town, sample: Sample) -> list[str]:
    """Read the list by the API: the rows that exist for the person, or nothing."""
    kind = type(sample.record)
    if sample.who.blocked:
        return []
    answer, by_token = _call(sample, "get", f"/api/v1/{_API[kind]}/?limit=200")
    opened = not by_token or f"{_API[kind]}:read" in sample.who.opens
    wanted = opened and town.has_right(sample.who, _NAMES[kind].format("view"))
    found = _said("the list of the API", wanted, answer.status_code)
    if answer.status_code == OK:
        records: list[Any] = {Customer: town.customers, Order: town.orders}.get(kind, town.products)  # type: ignore[assignment]
        key = "id" if kind is Product else "number"
        shown = sorted(str(row[key]) for row in answer.json()["results"])
        expected = sorted(str(getattr(one, key)) for one in town.seen(sample.who, records))
        found += [] if shown == expected else [f"the API lists {shown}, wanted {expected}"]
    return found + _hidden(sample.record, answer.text, "the list of the API")


def chart(town: Town, sample: Sample) -> list[str]:
    """Add up a chart: it is the sum of the orders that exist for the person."""
    who, one = sample.who, charts.get(CHART)
    allowed = town.has_right(who, one.permission)
    found = [] if one.allowed(who.user) is allowed else ["the chart is open or closed wrongly"]
    scope = Scope(who.user, who.site)
    shown = sum(row.minor for row in one.ask(scope) if isinstance(row, Row))
    wanted = sum(order.total_minor for order in town.seen(who, town.orders))
    return found + ([] if shown == wanted else [f"the chart says {shown}, wanted {wanted}"])


type Surface = Callable[[Town, Sample], list[str]]
_SURFACES: dict[str, tuple[Surface, ...]] = {
    "view": (page, api, api_list, chart),
    "change": (page, api),
    "reveal": (reveal, reveal, page),
    "export": (export,),
}
