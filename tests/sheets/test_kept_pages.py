"""Pages of kept sheets: the journey, who may do what, and that nothing hidden leaves."""

from collections.abc import Iterator
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, resolve, reverse
from openpyxl import load_workbook

from backoffice.accounts.models import User
from backoffice.audit.models import Event, Outcome
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.sheets.kept import charting, joining, keeping
from backoffice.sheets.kept.frames import SheetFrame
from backoffice.sheets.models import ImportJob, KeptChart, KeptJoin, KeptSheet
from backoffice.site import staff_site
from tests.clients import signed_in
from tests.people import allow, make_person
from tests.sheets.kept_made import ITEMS, ORDERS, keep

pytestmark = pytest.mark.django_db
HIDDEN = ("anna@example.com", "bob@example.com", "fred@example.com")
MASK = "a•••••@e•••••.com"


def at(name: str, thing: KeptSheet | KeptJoin | KeptChart) -> str:
    return reverse(f"admin:{name}", args=[thing.public_id])


def body(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def test_journey(oli: User) -> None:
    client = signed_in(oli)
    for name, text in (("orders", ORDERS), ("items", ITEMS)):
        file = SimpleUploadedFile(f"{name}.csv", text.encode())
        answer = client.post(reverse("admin:kept"), {"file": file})
        page = body(client, answer.headers["Location"])
        assert f'value="{name}"' in page
        assert "anna@example.com" not in page
        choices = {"sheet": "0", "header_row": 1, "name": name, "days": 30}
        answer = client.post(answer.headers["Location"], choices)
        kept = KeptSheet.objects.get(name=name)
        assert answer.headers["Location"] == at("kept_sheet", kept)
        assert "Waiting for a worker" in body(client, at("kept_sheet", kept))
        assert client.get(at("kept_progress", kept)).json()["finished"] is False
        execute(Job.objects.filter(kind=keeping.KEEP).latest("pk").pk)
    left, right = KeptSheet.objects.order_by("pk")
    new = f"{reverse('admin:kept_join_new')}?left={left.public_id}&right={right.public_id}"
    assert "Key in the second" in body(client, new)
    answer = client.post(new, {"left_ref": "c0", "right_ref": "c0", "how": "inner", "name": "J"})
    join = KeptJoin.objects.get()
    assert answer.headers["Location"] == at("kept_join", join)
    assert "€1,246.85" in body(client, at("kept_join", join))
    assert "no key" in body(client, f"{at('kept_join', join)}?rows=left")
    assert "099" in body(client, f"{at('kept_join', join)}?rows=right")
    new = f"{reverse('admin:kept_chart_new')}?join={join.public_id}"
    assert "Draw and save" in body(client, new)
    choices = {"group": "l.c3", "measure": "sum", "measured": "r.c2", "kind": "bar", "name": "C"}
    answer = client.post(new, choices)
    chart = KeptChart.objects.get()
    page = body(client, at("kept_chart", chart))
    assert "€1,246.85" in page
    assert f"{at('kept_join', join)}?f=l.c3%3Ais%3AItaly" in page
    assert "€1,234.05" in body(client, f"{at('kept_join', join)}?f=l.c3%3Ais%3AItaly")


@pytest.fixture
def things(oli: User) -> list[tuple[str, KeptSheet | KeptJoin | KeptChart]]:
    """Return every page of a shared sheet, a join and charts of both."""
    left, right = keep(ORDERS, oli, shared=True), keep(ITEMS, oli, "Items", shared=True)
    join = joining.save(actor=oli, name="J", left=left, left_ref="c0", right=right, right_ref="c0",
                        how="left", shared=True)  # fmt: skip
    frames = (left, SheetFrame(left), "c3"), (join, joining.open_join(join, oli).frame, "l.c3")
    charts = [
        charting.save(of, frame, actor=oli, name="C", kind="pie", group=ref, measure="count")
        for of, frame, ref in frames
    ]
    return [
        *(("kept_" + name, left) for name in ("sheet", "progress")),
        ("kept_join", join),
        *(("kept_chart", chart) for chart in charts),
    ]


WRITES = {
    KeptSheet: ("export", "share", "mask", "delete", "promote"),
    KeptJoin: ("join_export", "join_share", "join_delete"),
    KeptChart: ("chart_delete",),
}


def writes(things: list[tuple[str, KeptSheet | KeptJoin | KeptChart]]) -> Iterator[str]:
    seen = {thing.public_id: thing for _name, thing in things}.values()
    for thing in seen:
        for name in WRITES[type(thing)]:
            yield at(f"kept_{name}", thing)
        if isinstance(thing, KeptSheet):
            yield f"{reverse('admin:kept_chart_new')}?sheet={thing.public_id}"
            yield f"{reverse('admin:kept_join_new')}?left={thing.public_id}&right={thing.public_id}"
    yield reverse("admin:kept")


# What looking alone is enough for.
READ_ONLY = {"kept_sheet", "kept_progress", "kept_join", "kept_chart"}


def test_every_step_of_the_site_is_tried(
    things: list[tuple[str, KeptSheet | KeptJoin | KeptChart]],
) -> None:
    mine = {
        str(one.name)
        for one in staff_site.get_urls()
        if isinstance(one, URLPattern) and str(one.pattern).startswith(("kept/", "imports/"))
        if "kept" in str(one.name) or "keep" in str(one.name)
    }
    tried = {resolve(address.partition("?")[0]).url_name for address in writes(things)}
    assert mine - READ_ONLY == tried | {"import_keep"}
    assert mine >= READ_ONLY


POSTED = {"format": "csv", "column": "c3", "group": "c3", "measure": "count", "kind": "bar",
          "name": "X", "left_ref": "c0", "right_ref": "c0", "how": "inner"}  # fmt: skip


def state() -> tuple[object, ...]:
    kept = list(KeptSheet.objects.values("pk", "shared", "columns"))
    return (kept, KeptJoin.objects.count(), KeptChart.objects.count(), ImportJob.objects.count())


@pytest.mark.parametrize("who", ["ada", "nia"])
def test_who_may_only_look_writes_nowhere(
    who: str,
    things: list[tuple[str, KeptSheet | KeptJoin | KeptChart]],
    request: pytest.FixtureRequest,
) -> None:
    client = signed_in(request.getfixturevalue(who))
    for name, thing in things:
        assert client.get(at(name, thing)).status_code == 200, name
    assert "Workbook or csv file to keep" not in body(client, reverse("admin:kept"))
    before = state()
    job = ImportJob.objects.first()
    assert job is not None
    keeping_it = reverse("admin:import_keep", args=[job.public_id])
    for address in (*writes(things), keeping_it):
        assert client.post(address, POSTED).status_code == 403, address
        # Neither is the form shown; exports have none.
        seen = {200} if address == reverse("admin:kept") else {403, 405}
        assert client.get(address).status_code in seen, address
    for name, thing in things:
        assert client.post(at(name, thing), POSTED).status_code == 405, name
    assert state() == before
    events = Event.objects.filter(actor=request.getfixturevalue(who), outcome=Outcome.DONE)
    assert not events.filter(verb__startswith="sheets.").exists()


@pytest.mark.parametrize("who", ["eve", "max_", "gus"])
def test_people_without_the_right_are_refused(
    who: str,
    things: list[tuple[str, KeptSheet | KeptJoin | KeptChart]],
    request: pytest.FixtureRequest,
) -> None:
    client = signed_in(request.getfixturevalue(who))
    for name, thing in things:
        assert client.get(at(name, thing)).status_code == 403, name
    for address in writes(things):
        assert client.post(address, POSTED).status_code == 403, address


def test_private_things_of_others_are_not_there(
    things: list[tuple[str, KeptSheet | KeptJoin | KeptChart]], ada: User
) -> None:
    KeptSheet.objects.update(shared=False)
    KeptJoin.objects.update(shared=False)
    client = signed_in(make_person("ola", "ops"))
    for name, thing in things:
        assert client.get(at(name, thing)).status_code == 404, name
    before = state()
    for address in list(writes(things))[:-1]:
        assert client.post(address, POSTED).status_code == 404, address
    assert state() == before
    page = body(client, reverse("admin:kept"))
    assert "Orders.csv" not in page
    assert "No sheet is kept yet" in page
    for name, thing in things:  # who oversees sees them, masked as all do
        assert signed_in(ada).get(at(name, thing)).status_code == 200, name


def test_shared_join_of_private_sheets_is_not_there(
    things: list[tuple[str, KeptSheet | KeptJoin | KeptChart]],
) -> None:
    KeptSheet.objects.update(shared=False)
    client = signed_in(make_person("ola", "ops"))
    join = KeptJoin.objects.get()
    assert client.get(at("kept_join", join)).status_code == 404
    chart = KeptChart.objects.get(join=join)
    assert client.get(at("kept_chart", chart)).status_code == 404
    assert "Orders.csv" not in body(client, reverse("admin:kept"))
    assert at("kept_join", join) not in body(client, reverse("admin:kept"))


def test_export_of_a_join_is_no_way_around_that_of_the_records(oli: User) -> None:
    kept = keep("customer,amount\n1,2\n", allow(oli, "customers.view_customer"))
    join = joining.save(actor=kept.owner, name="J", left=kept, left_ref="c0",
                        right="customers.customer", right_ref="number")  # fmt: skip
    client = signed_in(kept.owner)
    assert client.get(at("kept_join", join)).status_code == 200
    address = at("kept_join_export", join)
    assert not kept.owner.has_perm("customers.export_customer")
    assert client.post(address, {"format": "csv"}).status_code == 403
    allow(oli, "customers.export_customer")
    assert client.post(address, {"format": "csv"}).status_code == 200


def test_others_change_nothing_of_what_is_shared(
    things: list[tuple[str, KeptSheet | KeptJoin | KeptChart]],
) -> None:
    client = signed_in(make_person("ola", "ops"))
    before = state()
    changes = ("share/", "mask/", "delete/", "promote/")
    for address in writes(things):
        if address.endswith(changes):
            assert client.post(address, POSTED).status_code == 403, address
    assert state() == before


def test_nothing_hidden_leaves_by_any_page(
    things: list[tuple[str, KeptSheet | KeptJoin | KeptChart]], oli: User
) -> None:
    client = signed_in(oli)
    addresses = [at(name, thing) for name, thing in things] + [reverse("admin:kept")]
    for address in addresses:
        page = body(client, address)
        assert not any(value in page for value in HIDDEN), address
    kept, join = KeptSheet.objects.get(name="Orders"), KeptJoin.objects.get()
    assert MASK in body(client, at("kept_sheet", kept))
    for rows in ("", "left", "right"):
        assert not any(
            one in body(client, f"{at('kept_join', join)}?rows={rows}") for one in HIDDEN
        )
    for address in (at("kept_export", kept), at("kept_join_export", join)):
        for kind in ("csv", "json", "xlsx"):
            answer = client.post(address, {"format": kind})
            content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
            if kind == "xlsx":
                sheet = load_workbook(BytesIO(content)).worksheets[0]
                content = repr(list(sheet.values)).encode()
            assert MASK.encode() in content or b"\\u2022" in content, kind
            assert not any(one.encode() in content for one in HIDDEN), kind
    events = Event.objects.filter(verb="record.exported", actor=oli)
    assert [event.context["rows"] for event in events.order_by("pk")] == [6] * 3 + [7] * 3


@pytest.mark.parametrize(
    "query", ["f=c1:is:anna@example.com", "f=c1:has:a", "sort=c1", "sort=-c1", "f=x", "at=-1",
              "f=c9:is:1", "at=x", "sort=nope"]
)  # fmt: skip
def test_addresses_that_no_link_has_are_refused(query: str, oli: User) -> None:
    kept = keep(ORDERS, oli)
    client = signed_in(oli)
    assert client.get(f"{at('kept_sheet', kept)}?{query}").status_code == 400
    answer = client.post(f"{at('kept_export', kept)}?{query}", {"format": "csv"})
    assert answer.status_code == 400 or query.startswith("at=")


def test_filter_of_the_form_goes_into_the_address(oli: User) -> None:
    kept = keep(ORDERS, oli)
    client = signed_in(oli)
    answer = client.get(at("kept_sheet", kept), {"by": "c3", "how": "is", "value": "France"})
    assert answer.headers["Location"] == f"{at('kept_sheet', kept)}?f=c3%3Ais%3AFrance"
    assert "<b>2</b> of 6" in body(client, answer.headers["Location"])
    answer = client.get(
        at("kept_sheet", kept), {"by": "c1", "how": "has", "value": "anna"}, follow=True
    )
    assert "does not go with this column" in answer.content.decode()


def test_owner_shares_masks_and_deletes(oli: User, ada: User) -> None:
    kept = keep(ORDERS, oli)
    client = signed_in(oli)
    client.post(at("kept_share", kept))
    kept.refresh_from_db()
    assert kept.shared
    client.post(at("kept_mask", kept), {"column": "c3"})
    assert "France" not in body(client, at("kept_sheet", kept))
    answer = client.post(at("kept_promote", kept))
    job = ImportJob.objects.latest("pk")
    assert answer.headers["Location"] == reverse("admin:import_sheets", args=[job.public_id])
    answer = client.post(at("kept_delete", kept))
    assert answer.headers["Location"] == reverse("admin:kept")
    assert not KeptSheet.objects.exists()
    verbs = list(Event.objects.filter(verb__startswith="sheets.").values_list("verb", flat=True))
    for verb in (keeping.SHARED, keeping.MASKED, "sheets.promoted", keeping.DROPPED):
        assert verb in verbs


def test_get_changes_nothing(
    things: list[tuple[str, KeptSheet | KeptJoin | KeptChart]], oli: User
) -> None:
    client = signed_in(oli)
    before = (state(), Event.objects.count(), Job.objects.count())
    for address in writes(things):
        assert client.get(address).status_code in {200, 405}, address
    assert (state(), Event.objects.count(), Job.objects.count()) == before


def test_queries_do_not_grow_with_the_rows(oli: User) -> None:
    text = "key,colour,n\n" + "".join(f"K{n},red,{n}\n" for n in range(60))
    few, many = keep("key,colour,n\nA,red,1\n", oli, "Few"), keep(text, oli, "Many")
    counts = []
    for kept in (few, many):
        client = signed_in(oli)
        body(client, at("kept_sheet", kept))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            body(client, at("kept_sheet", kept))
        counts.append(len(queries))
    assert counts[0] == counts[1]
