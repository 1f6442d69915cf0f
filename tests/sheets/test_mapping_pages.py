"""Pages of sheets, text, mapping and profiles: what they show, to whom, and what they change."""

from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.sheets import formats, mapping, profiles, services
from backoffice.sheets.models import ImportJob, ImportProfile
from tests.clients import signed_in
from tests.people import make_person
from tests.sheets.made import HEAD, book, line, upload
from tests.sheets.shared_data import shared
from tests.sheets.test_profiles import GERMAN, THEIRS, mapped

pytestmark = pytest.mark.django_db
SECRET = "SECRET CUP"
DOS = ("", "check", "preview", "format", "profile", "keep")


def address(name: str, job: ImportJob) -> str:
    return reverse(f"admin:{name}", kwargs={"number": job.public_id})


def page(client: Client, name: str, job: ImportJob) -> str:
    answer = client.get(address(name, job))
    assert answer.status_code == 200
    return str(answer.content.decode())


def answers(job: ImportJob, **more: Any) -> dict[str, Any]:
    """Return what the form of the mapping page posts as it stands."""
    places = job.mapping["A"]["columns"]
    return {"format": job.format, **{f"column-0-{key}": at for key, at in places.items()}, **more}


def state() -> list[Any]:
    """Return all that a look must not change."""
    return [
        list(ImportJob.objects.order_by("pk").values()),
        list(ImportProfile.objects.order_by("pk").values()),
        Event.objects.filter(verb__startswith="sheets.").count(),
    ]


def test_rows_are_shown_to_the_owner_of_the_file_alone(oli: User, ada: User) -> None:
    job = upload(book([line(description=SECRET)]), oli)
    text = upload(GERMAN.replace("Tasse", SECRET).encode(), oli, "a.csv")
    places = [("import_sheets", job), ("import_mapping", job), ("import_dialect", text)]
    for name, one in places:
        assert SECRET in page(signed_in(oli), name, one), name
    for other in (ada, make_person("ola", "ops")):
        for name, one in [*places, ("import_sheets", text), ("import_mapping", text)]:
            assert SECRET not in page(signed_in(other), name, one), name


def test_others_are_refused_at_every_step(oli: User, ada: User, eve: User) -> None:
    job = upload(book([line()]), oli)
    text = upload(GERMAN.encode(), oli, "a.csv")
    kept = profiles.keep(mapped(oli), "Tassen", actor=oli)
    before = state()
    for other in (ada, eve, make_person("ola", "ops")):
        client = signed_in(other)
        for do in DOS:
            data = answers(job, do=do, profile=kept.pk, profile_name="Mine")
            assert client.post(address("import_mapping", job), data).status_code == 403, do
        for do in ("", "headers", "map"):
            data = {"do": do, "sheet": "A", "header-0": "1"}
            assert client.post(address("import_sheets", job), data).status_code == 403, do
        for do in ("", "preview", "confirm"):
            data = {"do": do, **said()}
            assert client.post(address("import_dialect", text), data).status_code == 403, do
    assert state() == before


def test_names_of_profiles_need_a_right(oli: User, ada: User, pia: User) -> None:
    kept = profiles.keep(mapped(oli), "Tassen", actor=oli)
    listed = reverse("admin:sheet_formats")
    assert "Tassen" in signed_in(ada).get(listed).content.decode()
    assert "Tassen" not in signed_in(pia).get(listed).content.decode()
    for name in ("sheet_profile", "sheet_profile_rename", "sheet_profile_delete"):
        url = reverse(f"admin:{name}", args=[kept.public_id])
        assert signed_in(pia).get(url).status_code == 403, name
        assert signed_in(ada).post(url, {"profile_name": "Mine"}).status_code in {403, 405}, name
    assert ImportProfile.objects.get().name == "Tassen"


def test_profile_is_renamed_and_deleted_on_its_pages(oli: User) -> None:
    kept = profiles.keep(mapped(oli), "Tassen", actor=oli)
    client = signed_in(oli)
    shown = client.get(reverse("admin:sheet_profile", args=[kept.public_id])).content.decode()
    for words in ("Beleg", "Pence", "France", "Move the decimal point", ": -2", "Wo"):
        assert words in shown
    url = reverse("admin:sheet_profile_rename", args=[kept.public_id])
    client.post(url, {"profile_name": "Cups", "supplier": "Tassen GmbH"})
    kept.refresh_from_db()
    assert (kept.name, kept.supplier) == ("Cups", "Tassen GmbH")
    client.post(reverse("admin:sheet_profile_delete", args=[kept.public_id]))
    assert not ImportProfile.objects.exists()


def test_values_are_shown_as_they_would_be_read(oli: User) -> None:
    job = upload(book([line(price=255)]), oli)
    before = state()
    steps = {"step-0-price-0": "scale", "a-0-price-0": "-2", "constant-0-country": "Norway"}
    answer = signed_in(oli).post(
        address("import_mapping", job), answers(job, do="preview", **steps)
    )
    samples = {one["column"].key: one["samples"] for one in answer.context["groups"][0]["columns"]}
    assert [(one.raw, one.read, one.wrong) for one in samples["price"]] == [("255", "2.55", "")]
    assert [(one.raw, one.read) for one in samples["country"]] == [("France", "France")]
    assert state() == before


def test_what_is_wrong_with_a_change_is_said_and_nothing_is_lost(oli: User) -> None:
    job = upload(book([line()]), oli)
    before = state()
    for steps, words in (
        ({"step-0-price-0": "scale", "a-0-price-0": "many"}, "places"),
        ({"step-0-code-0": "join", "a-0-code-0": "ZZ"}, "letter of the column"),
        ({"step-0-code-0": "replace", "a-0-code-0": "="}, "old = new"),
        ({"column-0-price": "99"}, "Choose one of the columns"),
        ({"constant-0-price": "cheap"}, "Not a number"),
        ({"column-0-price": ""}, "Say which column holds: Price"),
        ({"column-0-country": "1"}, "chosen twice"),
    ):
        answer = signed_in(oli).post(address("import_mapping", job), answers(job, **steps))
        assert answer.status_code == 422
        assert words in answer.content.decode()
        typed = list(steps.values())[-1]
        assert typed == "99" or f'value="{typed}"' in answer.content.decode()
    assert state() == before


def test_one_column_for_two_places_when_it_is_said(oli: User) -> None:
    job = upload(book([line()]), oli)
    data = answers(job, **{"column-0-country": "1", "twice": "1"})
    answer = signed_in(oli).post(address("import_mapping", job), data)
    assert answer.headers["Location"] == address("import_run", job)
    job.refresh_from_db()
    assert job.mapping["A"]["columns"]["country"] == 1


def test_columns_that_are_not_read_and_not_named_are_said(oli: User) -> None:
    head = (*HEAD[:7], "Contry", "Lager", "", "Twice", "twice")
    job = upload(book([[*line(), 1, 2, 3, 4]], head=head), oli)
    shown = page(signed_in(oli), "import_mapping", job)
    assert "Perhaps H · Contry?" in shown
    unread = "These columns are not read: H · Contry, I · Lager, J, K · Twice, L · twice"
    assert unread in shown
    assert "choose them by their letter: J, K · Twice, L · twice" in shown


def test_headers_are_chosen_by_hand(oli: User) -> None:
    rows: list[list[object]] = [
        ["Order", None, "Goods"],
        ["No", "of", "Code"],
        [600001, 1, "10001"],
    ]
    job = upload(book([*rows], head=["", "", ""]), oli)
    assert (job.chosen, job.sheets[0]["recognised"]) == ([], False)
    client = signed_in(oli)
    data = {"do": "headers", "header-0": "3", "joined-0": "2"}
    assert client.post(address("import_sheets", job), data).status_code == 302
    job.refresh_from_db()
    assert job.sheets[0]["headers"] == ["Order No", "Order of", "Goods Code"]
    assert (job.sheets[0]["rows"], job.sheets[0]["above"], job.chosen) == (1, 0, [])
    for wrong in ({"header-0": "900"}, {"header-0": "x"}, {"header-0": "3", "joined-0": "6"}):
        answer = client.post(address("import_sheets", job), {"do": "headers", **wrong})
        assert answer.status_code == 422, wrong


def said(**more: str) -> dict[str, str]:
    """Return the answers of the page of the text."""
    plain = {"encoding": "utf-8", "delimiter": ";", "quote": '"', "decimal": ",", "thousands": "."}
    return {**plain, "dates": "dmy", **more}


def test_text_is_asked_about_before_the_mapping(oli: User) -> None:
    client = signed_in(oli)
    file = SimpleUploadedFile("a.csv", GERMAN.encode())
    answer = client.post(reverse("admin:imports"), {"file": file})
    job = ImportJob.objects.get()
    assert answer.headers["Location"] == address("import_dialect", job)
    assert client.get(address("import_mapping", job)).headers["Location"] == answer["Location"]
    before = state()
    shown = client.post(address("import_dialect", job), {"do": "preview", **said(delimiter=",")})
    assert "Rechnung;Artikel" in shown.content.decode()
    shown = client.post(address("import_dialect", job), {"do": "preview", **said()})
    assert shown.content.decode().count("2011-04-03 12:00:00") == 1
    shown = client.post(address("import_dialect", job), {"do": "preview", **said(dates="ymd")})
    assert "neither a number nor a date" in shown.content.decode()
    for wrong in ({"dates": "unsaid"}, {"dates": "never"}, {"thousands": ","}):
        answer = client.post(address("import_dialect", job), said(**wrong))
        assert answer.status_code == 422, wrong
    assert state() == before
    answer = client.post(address("import_dialect", job), said())
    assert answer.headers["Location"] == address("import_sheets", job)
    job.refresh_from_db()
    assert (job.dialect["dates"], job.chosen) == ("dmy", [""])


def test_known_headers_lead_straight_to_the_check(oli: User) -> None:
    profiles.keep(mapped(oli), "Tassen", actor=oli)
    file = SimpleUploadedFile("a.xlsx", book([line(600009)], head=THEIRS))
    answer = signed_in(oli).post(reverse("admin:imports"), {"file": file})
    job = ImportJob.objects.order_by("pk").last()
    assert job is not None
    assert answer.headers["Location"] == address("import_run", job)
    assert job.state == ImportJob.State.CHECKING


def test_profile_is_kept_and_left_on_the_page(oli: User) -> None:
    job = upload(book([line()]), oli)
    client = signed_in(oli)
    data = answers(job, do="keep", profile_name="Cups", supplier="Tassen")
    assert client.post(address("import_mapping", job), data).status_code == 302
    kept = ImportProfile.objects.get()
    assert "Read by the profile “Cups”" in page(client, "import_mapping", job)
    client.post(address("import_mapping", job), {"do": "profile", "profile": ""})
    job.refresh_from_db()
    assert job.profile is None
    client.post(address("import_mapping", job), {"do": "profile", "profile": kept.pk})
    job.refresh_from_db()
    assert job.profile == kept
    wrong = client.post(address("import_mapping", job), {"do": "profile", "profile": "999999"})
    assert wrong.status_code == 404


def test_empty_workbook_of_a_format_is_known_when_it_comes_back(oli: User) -> None:
    client = signed_in(oli)
    form = formats.get("online-retail")
    assert form.key in client.get(reverse("admin:sheet_formats")).content.decode()
    shown = client.get(reverse("admin:sheet_format", args=[form.key])).content.decode()
    assert "Rechnungsnummer" in shown
    answer = client.get(reverse("admin:sheet_template", args=[form.key]))
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    sheet = load_workbook(BytesIO(content)).worksheets[0]
    names = [str(cell.value) for cell in next(iter(sheet.rows))]
    assert mapping.match(names, form) == {one.key: at for at, one in enumerate(form.columns)}
    assert client.get(reverse("admin:sheet_format", args=["no-such"])).status_code == 404


def test_title_rows_of_a_real_sheet_are_found(oli: User) -> None:
    content = shared("awkward/s01_title_rows_and_footnotes.xlsx").read_bytes()
    job = upload(content, oli, "deaths.xlsx")
    assert [one["header_row"] for one in job.sheets] == [5, 5]
    assert [one["above"] for one in job.sheets] == [4, 4]
    services.choose(job, ["arts"], actor=oli, headers={"arts": (5, 1)})
    assert job.sheets[0]["headers"][:2] == ["Name", "Profession"]
    assert (job.sheets[0]["rows"], job.sheets[0]["notes_below"]) == (14, 4)
