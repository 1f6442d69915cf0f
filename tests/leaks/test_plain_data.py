"""What comes in and goes out of plain pages as data: imports, exports, the REST API, a dump.

Here nothing but the field and the guards of queries stands between a value and the answer.
"""

import io
import json
from typing import Any

import pytest
import tablib
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import IntegrityError, transaction
from import_export.formats import base_formats

from customers.models import Customer
from tests.leaks import plain
from tests.leaks.channels import Channels
from tests.leaks.stage import BAD_REQUEST, EMAIL, NAME, OK, Stage
from tests.walker.walk import read

LIST = "/plain/customers/customer/"
API = "/rest/customers/"
pytestmark = pytest.mark.usefixtures("plain_pages")
channels = Channels()


@pytest.mark.parametrize("name", channels)
def test_channel(name: str, stage: Stage) -> None:
    channels[name](stage)


def upload(stage: Stage, rows: list[list[str]], head: list[str]) -> Any:
    """Post a csv to the stock import; the answer is its preview."""
    content = tablib.Dataset(*rows, headers=head).export("csv").encode()
    data = {"import_file": SimpleUploadedFile("c.csv", content), "format": "0", "resource": ""}
    return stage.send(f"{LIST}import/", data, stage.root)


@channels(
    "import preview: file has only some columns",
    "import preview, file with only an id column",
    "import preview diff old to new",
)
def _preview(stage: Stage) -> None:
    for head, row in (
        (["number"], ["17850"]),
        (["number", "country"], ["17850", "Norway"]),
        (["number", "phone"], ["17850", "+44 1"]),
    ):
        answer = upload(stage, [row], head)
        assert answer.status == OK
        assert "17850" in answer.text


@channels("import validation error")
def _bad_rows(stage: Stage) -> None:
    mask = "z•••••@z•••••.org"
    answer = upload(stage, [["17850", "no address"], ["901", mask]], ["number", "email"])
    assert answer.status == OK


@channels(
    "import error row (unique violation)",
    "import unique violation as existence oracle",
    "PostgreSQL unique violation in an import row",
)
def _unique(stage: Stage) -> None:
    """See that a unique number says no more than itself, and no row names a hidden value."""
    answer = upload(stage, [["17850", "twice"], ["17850", "twice"]], ["number", "country"])
    assert answer.status == OK
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Customer.objects.create(number="17850", name=NAME, email=EMAIL)
    # The database names the column of the constraint; no masked column of ours is one.
    stage.tells_nothing(str(refused.value))
    unique = [one for one in Customer._meta.get_fields() if getattr(one, "unique", False)]
    assert {one.name for one in unique} == {"id", "number"}


@channels("unconfirmed import upload")
def _temporary_file(stage: Stage) -> None:
    """See that the stock import is closed where no right for it was given."""
    gus, eve = stage.world.people["gus"], stage.world.people["eve"]
    for person, way in ((eve, "import/"), (gus, "import/"), (gus, "export/")):
        assert stage.ask(f"{LIST}{way}", person).status in {302, 403}


@channels("export page (GET)")
def _export_page(stage: Stage) -> None:
    plain.ask(stage, f"{LIST}export/")


def _export(name: str, kind: type[base_formats.Format]) -> None:
    @channels(name)
    def check(stage: Stage) -> None:
        dataset = plain.CustomerResource().export()
        content = kind().export_data(dataset)
        stage.tells_nothing(content)
        data = {"format": str(base_formats.DEFAULT_FORMATS.index(kind)), "resource": ""}
        fields = dict.fromkeys(
            [f"customerresource_{name}" for name in ("number", "name", "email", "phone")], "on"
        )
        answer = stage.send(f"{LIST}export/", {**data, **fields}, stage.root)
        assert answer.status == OK
        assert "attachment" in answer.headers["Content-Disposition"]


for _name, _kind in (
    ("export csv", base_formats.CSV),
    ("export xlsx", base_formats.XLSX),
    ("export json", base_formats.JSON),
    ("export html", base_formats.HTML),
):
    _export(_name, _kind)


@channels("export action on selection", "Cache-Control on export download")
def _export_action(stage: Stage) -> None:
    data = {"action": "export_admin_action", "_selected_action": str(stage.customer.pk)}
    answer = stage.send(LIST, data, stage.root)
    assert "no-store" in answer.headers["Cache-Control"]


@channels("formula injection on export")
def _formula(stage: Stage) -> None:
    """See that a mask begins no formula, whatever it hides."""
    for number, text in enumerate(("=HYPERLINK(0)", "+1 222 333 4444", "-x", "@x")):
        made = Customer.objects.create(number=f"96{number}", name=text, phone=text)
        assert str(made.phone).startswith("•")
    for row in plain.CustomerResource().export().dict:
        assert not str(row["phone"]).startswith(("=", "+", "-", "@"))


# REST -------------------------------------------------------------------------------------------


@channels("DRF list json", "Cache-Control on API", "Referrer-Policy")
def _list(stage: Stage) -> None:
    answer = plain.ask(stage, API)
    assert str(stage.customer.email) in json.loads(answer.text)["results"][0].values()
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Referrer-Policy"] == "same-origin"


@channels(
    "DRF browsable customers detail",
    "DRF browsable orders list (FK select in form)",
    "DRF browsable filter form",
)
def _browsable(stage: Stage) -> None:
    for url in (f"{API}{stage.customer.pk}/", "/rest/orders/", API):
        answer = plain.ask(stage, url, headers={"Accept": "text/html"})
        assert "html" in answer.headers["Content-Type"]


@channels("DRF orders OPTIONS")
def _options(stage: Stage) -> None:
    for url in ("/rest/orders/", f"{API}{stage.customer.pk}/"):
        stage.tells_nothing(read(stage.client(stage.root).options(url)))


def write(stage: Stage, method: str, data: Any) -> Any:
    """PUT or PATCH the customer."""
    call = getattr(stage.client(stage.root), method)
    answer = read(call(f"{API}{stage.customer.pk}/", data, content_type="application/json"))
    stage.tells_nothing(answer)
    return answer


@channels("DRF GET masked, then PUT back")
def _put_back(stage: Stage) -> None:
    before = stage.raw("updated_at")
    given = stage.client(stage.root).get(f"{API}{stage.customer.pk}/").json()
    assert write(stage, "put", given).status == OK
    assert stage.raw("updated_at") == before


@channels("DRF PATCH of a mask")
def _patch_a_mask(stage: Stage) -> None:
    before = stage.raw()
    for value in (f"{stage.customer.phone}1", "•••", str(stage.customer.email)):
        assert write(stage, "patch", {"phone": value}).status == BAD_REQUEST
    assert stage.raw() == before


@channels("DRF unique validator as existence oracle")
def _taken_or_not(stage: Stage) -> None:
    for email in ("qfree@hid.example", "qzb@hid.example"):
        assert write(stage, "patch", {"email": email}).status == OK


@channels("dumpdata")
def _dump(stage: Stage) -> None:
    for kind in ("json", "xml"):
        out = io.StringIO()
        call_command("dumpdata", "customers", "orders", format=kind, stdout=out)
        stage.tells_nothing(out.getvalue())
