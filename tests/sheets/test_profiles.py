"""Profiles: kept by headers, used by themselves where they fit, never holding a value."""

import json
from dataclasses import replace

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.sheets import formats, profiles, services
from backoffice.sheets.errors import ReadError
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportHead, ImportJob, ImportProfile
from backoffice.sheets.reading import heads
from backoffice.sheets.reading.dialects import Dialect
from orders.models import OrderLine
from tests.people import make_person
from tests.sheets.made import HEAD, book, check, line, run, upload

pytestmark = pytest.mark.django_db
# Invoice, code, name, pieces in a word of theirs, date, price in pence, customer, country.
THEIRS = ("Beleg", "Art", "Text", "Stk", "Wann", "Pence", "Wer", "Wo")
MAPPED = SheetMapping(
    1,
    {"invoice": 0, "code": 1, "description": 2, "quantity": 3, "placed_at": 4, "price": 5},
    constants={"country": "France"},
    transforms={"price": [["scale", -2]], "description": [["join", 7, " "]]},
)


def mapped(actor: User, *, head: tuple[str, ...] = THEIRS) -> ImportJob:
    """Return an upload with a supplier's headers, mapped by hand."""
    job = upload(book([line(price=250)], head=head), actor)
    form = formats.get("online-retail")
    if not job.chosen:
        services.choose(job, ["A"], actor=actor, headers={"A": (1, 1)})
    services.map_columns(job, form, {"A": MAPPED}, actor=actor)
    return job


def test_next_file_of_the_supplier_is_read_by_itself(oli: User) -> None:
    kept = profiles.keep(mapped(oli), " Tassen  GmbH ", actor=oli, supplier="Tassen")
    assert (kept.name, kept.format, kept.owner) == ("Tassen GmbH", "online-retail", oli)
    moved = (*reversed(THEIRS), "new")
    rows = [[*reversed(line(600007, price=199)), "x"]]
    job = upload(book([["Tassen GmbH"], list(moved), *rows], head=[""]), oli)
    assert (job.profile, job.format, job.chosen) == (kept, "online-retail", ["A"])
    found = SheetMapping.from_json(job.mapping["A"])
    assert (found.header_row, found.columns["invoice"], found.columns["price"]) == (3, 7, 2)
    assert found.transforms["description"] == [["join", 0, " "]]
    run(check(job))
    written = OrderLine.objects.get()
    assert (written.total_minor, written.order.number) == (199, "600007")
    kept.refresh_from_db()
    assert kept.used_at is not None


def test_profile_holds_no_value_of_the_file(oli: User) -> None:
    kept = profiles.keep(mapped(oli), "Tassen", actor=oli)
    text = json.dumps(kept.mapping)
    for value in ("600001", "10001", "ENAMEL", "12346", "2011"):
        assert value not in text
    assert "Beleg" in text


def test_row_of_data_is_no_header_to_keep(oli: User) -> None:
    job = upload(book([line(600001234)], head=THEIRS), oli)
    services.choose(job, ["A"], actor=oli, headers={"A": (2, 1)})
    assert "600001234" not in json.dumps(job.sheets)
    form, below = formats.get("online-retail"), replace(MAPPED, header_row=2)
    services.map_columns(job, form, {"A": below}, actor=oli)
    with pytest.raises(profiles.ProfileError, match="looks like a value"):
        profiles.keep(job, "Tassen", actor=oli)
    assert not ImportProfile.objects.exists()


def test_other_headers_are_not_read_by_it(oli: User) -> None:
    profiles.keep(mapped(oli), "Tassen", actor=oli)
    other = ("Beleg", "Art", "Text", "Stk", "Wann", "Preis", "Wer", "Wo")
    assert upload(book([line()], head=other), oli).profile is None
    twice = ("Beleg", "Art", "Text", "Stk", "Wann", "Pence", "Pence", "Wo")
    assert upload(book([line()], head=twice), oli).profile is None


def test_column_without_a_header_needs_the_same_headers(oli: User) -> None:
    blank = ("Beleg", "Art", "", "Stk", "Wann", "Pence", "Wer", "Wo")
    kept = profiles.keep(mapped(oli, head=blank), "Tassen", actor=oli)
    assert upload(book([line()], head=blank), oli).profile == kept
    assert upload(book([line()], head=(*blank[:7], "Ort")), oli).profile is None


def test_two_that_fit_as_well_are_both_offered(oli: User) -> None:
    profiles.keep(mapped(oli), "One", actor=oli)
    second = upload(book([line(price=250)], head=THEIRS), oli)
    profiles.keep(second, "Two", actor=oli)
    job = upload(book([line()], head=THEIRS), oli)
    assert job.profile is None
    assert "One, Two" in " ".join(job.notes)


def test_profile_can_be_chosen_and_left(oli: User) -> None:
    kept = profiles.keep(mapped(oli), "Tassen", actor=oli)
    job = upload(book([line()], head=THEIRS), oli)
    services.use_profile(job, None, actor=oli)
    assert (job.profile, job.chosen) == (None, [])
    services.use_profile(job, kept, actor=oli)
    assert (job.profile, job.chosen) == (kept, ["A"])
    english = upload(book([line()], head=HEAD), oli)
    with pytest.raises(profiles.ProfileError, match="does not fit"):
        services.use_profile(english, kept, actor=oli)


def test_asked_for_profile_must_fit_and_be_open(oli: User) -> None:
    kept = profiles.keep(mapped(oli), "Tassen", actor=oli)

    def file() -> SimpleUploadedFile:
        return SimpleUploadedFile("a.xlsx", book([line()], head=HEAD))

    with pytest.raises(ReadError, match="does not fit"):
        services.take(file(), oli, kept)
    ImportProfile.objects.update(format="somewhere-else")
    kept.refresh_from_db()
    with pytest.raises(PermissionDenied):
        services.take(file(), oli, kept)


def test_rights_and_records(oli: User, ada: User, eve: User) -> None:
    job = mapped(oli)
    for other in (ada, eve, make_person("ola", "ops")):
        with pytest.raises(PermissionDenied):
            profiles.keep(job, "Tassen", actor=other)
    kept = profiles.keep(job, "Tassen", actor=oli)
    for other in (ada, eve):
        with pytest.raises(PermissionDenied):
            profiles.rename(kept, "Mine", actor=other)
        with pytest.raises(PermissionDenied):
            profiles.delete(kept, actor=other)
    profiles.rename(kept, "Cups", actor=oli, supplier="Tassen GmbH")
    profiles.delete(kept, actor=oli)
    verbs = Event.objects.filter(verb__contains="profile").order_by("pk")
    assert [event.verb for event in verbs] == [profiles.KEPT, profiles.RENAMED, profiles.DELETED]
    assert "Tassen" not in json.dumps([event.context for event in verbs])
    job.refresh_from_db()
    assert job.profile is None


def test_names_are_single_and_replaced_only_on_demand(oli: User) -> None:
    job = mapped(oli)
    first = profiles.keep(job, "Tassen", actor=oli)
    with pytest.raises(profiles.ProfileError, match="of this name"):
        profiles.keep(job, "Tassen", actor=oli)
    assert profiles.keep(job, "Tassen", actor=oli, replace=True) == first
    for wrong in ("", "  ", "x" * 81):
        with pytest.raises(profiles.ProfileError):
            profiles.keep(job, wrong, actor=oli)
    other = profiles.keep(job, "Cups", actor=oli)
    with pytest.raises(profiles.ProfileError, match="of this name"):
        profiles.rename(other, "Tassen", actor=oli)


GERMAN = (
    "Rechnung;Artikel;Bezeichnung;Menge;Datum;Preis;Kunde;Land\n"
    "600001;10001;Tasse;2;03.04.2011 12:00;2,55;12346;France\n"
)


def test_csv_waits_until_it_is_said_how_it_is_written(oli: User) -> None:
    job = upload(GERMAN.encode(), oli, "a.csv")
    assert job.dialect == {}
    with pytest.raises(services.StateError):
        services.check(job, actor=oli)
    maps = {name: SheetMapping.from_json(one) for name, one in job.mapping.items()}
    with pytest.raises(services.StateError):
        services.map_columns(job, formats.get(job.format), maps, actor=oli)
    said = Dialect("utf-8", ";", decimal=",", dates="dmy")
    services.read_as(job, said, actor=oli)
    run(check(job))
    written = OrderLine.objects.get()
    assert (written.total_minor, written.order.placed_at.month) == (510, 4)
    profiles.keep(job, "Tassen", actor=oli)
    again = upload(GERMAN.replace("600001", "600002").encode(), oli, "b.csv")
    assert (again.profile, Dialect.from_json(again.dialect)) == (job.profile, said)


def test_profile_does_not_overrule_what_the_file_shows(oli: User) -> None:
    job = upload(GERMAN.encode(), oli, "a.csv")
    services.read_as(job, Dialect("utf-8", ";", decimal=",", dates="mdy"), actor=oli)
    profiles.keep(job, "Tassen", actor=oli)
    other = upload(GERMAN.replace("03.04.2011", "25.04.2011").encode(), oli, "b.csv")
    assert (other.profile, other.dialect) == (job.profile, {})
    assert "not written as the profile" in " ".join(other.notes)


def test_first_rows_go_with_the_file(oli: User) -> None:
    job = upload(book([line(description="SECRET CUP")]), oli)
    assert heads.rows(job)["A"][1].cells[2] == "SECRET CUP"
    stored = ImportHead.objects.get(import_job=job)
    assert b"SECRET" not in bytes(stored.body)
    other = upload(book([line()]), oli)
    ImportHead.objects.filter(import_job=other).delete()
    ImportHead.objects.filter(pk=stored.pk).update(import_job=other)
    assert heads.rows(other) == {}
    ImportHead.objects.filter(pk=stored.pk).update(import_job=job)
    ImportJob.objects.filter(pk=job.pk).update(created_at="2000-01-01T00:00:00Z")
    services.forget()
    assert not ImportHead.objects.filter(import_job=job).exists()


def test_text_that_can_be_cut_in_two_ways_is_cut_as_the_profile_knows(oli: User) -> None:
    text = "Beleg;Art;Stk;Wann;Pence;p,q,r,s,t,u\n600001;10001;2;2011-07-01 12:00;255;a,b,c,d,e,f\n"
    job = upload(text.encode(), oli, "a.csv")
    assert job.dialect == {}
    services.read_as(job, Dialect("utf-8", ";"), actor=oli)
    services.choose(job, [""], actor=oli, headers={"": (1, 1)})
    columns = {"invoice": 0, "code": 1, "quantity": 2, "placed_at": 3, "price": 4}
    one = SheetMapping(1, columns, transforms={"price": [["scale", -2]]})
    services.map_columns(job, formats.get("online-retail"), {"": one}, actor=oli)
    kept = profiles.keep(job, "Tassen", actor=oli)
    again = upload(text.replace("600001", "600002").encode(), oli, "b.csv")
    assert (again.profile, again.dialect["delimiter"], again.chosen) == (kept, ";", [""])
    run(check(again))
    assert OrderLine.objects.get().total_minor == 510
