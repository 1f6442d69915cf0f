"""Sheets as data: what is recognised, masked, found, joined and drawn, against plain Python."""

import csv
import json
import random
from collections import Counter
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.files.sealing import DamagedError
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.masking.erasing import Erasure
from backoffice.masking.mentions import Elsewhere, Mentions
from backoffice.sheets import formats, places
from backoffice.sheets.errors import ReadError
from backoffice.sheets.intake.escapes import safe_text, unescape
from backoffice.sheets.kept import (
    asking,
    charting,
    erasing,
    joining,
    keeping,
    pairing,
    personal,
    promoting,
)
from backoffice.sheets.kept.asking import BadFilterError, Filter, Wanted
from backoffice.sheets.kept.columns import Column, Kind, amount
from backoffice.sheets.kept.frames import SheetFrame
from backoffice.sheets.kept.hits import MATCHED
from backoffice.sheets.kept.recognise import Guess, Reading
from backoffice.sheets.kept.vault import Vault, pack_numbers, pack_texts, picked, unpack
from backoffice.sheets.models import ExportJob, KeptBlock, KeptChart, KeptJoin, KeptSheet, Undo
from backoffice.sheets.reading import guard, reader
from customers.models import Customer
from tests.people import allow, make_person
from tests.sheets.kept_made import ITEMS, ORDERS, keep, ref, rows_of, take
from tests.sheets.shared_data import shared

pytestmark = pytest.mark.django_db


def read(header: str, *cells: object) -> Reading:
    guess = Guess(header)
    guess.see(cells)  # type: ignore[arg-type]
    return guess.decide()


@pytest.mark.parametrize(
    ("header", "cells", "kind"),
    [
        ("pieces", ("1", "2", "1,000"), Kind.WHOLE),
        ("pieces", (1, 2.0), Kind.WHOLE),
        ("weight", ("1.5", "2"), Kind.DECIMAL),
        ("weight", ("1,5", "2,25"), Kind.DECIMAL),
        ("weight", ("1.5", "n/a"), Kind.TEXT),
        ("pieces", ("007", "8"), Kind.TEXT),
        ("pieces", ("1234567890123456",), Kind.TEXT),
        ("order_id", ("1", "2"), Kind.TEXT),
        ("StockCode", (490397.0, 1), Kind.TEXT),
        ("placed", ("2024-01-31", "2024-02-01 10:30"), Kind.DATE),
        ("placed", ("1/31/2024", "2/1/2024"), Kind.DATE),
        ("placed", ("31.1.2024", "1.2.2024"), Kind.DATE),
        ("placed", ("1/2/2024", "3/4/2024"), Kind.TEXT),
        ("placed", ({"d": "2024-01-31T00:00:00"}, None), Kind.DATE),
        ("total", ("£1.50", "£2"), Kind.MONEY),
        ("total", ("1.50 EUR", "2 GBP"), Kind.MONEY),
        ("price_eur", ("1.50", "2"), Kind.MONEY),
        ("none", (None, ""), Kind.TEXT),
        ("flag", (True, False), Kind.TEXT),
    ],
)
def test_kind_is_that_of_every_cell(header: str, cells: tuple[object, ...], kind: Kind) -> None:
    assert read(header, *cells).kind is kind


def test_cells_are_exact() -> None:
    assert read("weight", "0.1", "0.25").cell("0.1") == 10
    assert read("weight", 0.1, 0.25).cell(0.1) == 10
    assert read("weight", "1.234,5", "1,25").cell("1.234,5") == 123450
    assert read("total", "-£1.50").cell("-£1.50") == -150
    assert read("code", 490397.0).cell(490397.0) == "490397"
    assert read("placed", "1/31/2024").cell("1/31/2024") == 1706659200
    assert amount(-123450, 2) == "\N{MINUS SIGN}1,234.50"
    assert amount(12345, 4, "EUR") == "€1.2345"
    assert amount(12300, 4, "EUR") == "€1.23"
    assert amount(12000, 0, "KRW") == "₩12,000"


def test_dates_in_two_orders_wait_for_the_dialect() -> None:
    guess = Guess("placed", dates="dmy")
    guess.see(["1/2/2024"])
    assert guess.decide() == Reading(Kind.DATE, order="dmy")


@pytest.mark.parametrize(
    ("header", "mask"),
    [
        ("Name", "name"), ("customer_name", "name"), ("LastName", "name"), ("E-Mail", "email"),
        ("billing email", "email"), ("Phone No.", "phone"), ("Ship to address", "address"),
        ("date of birth", "birth_date"), ("IBAN", "bank_account"), ("이름", "name"),
        ("product_name", ""), ("country", ""), ("order_id", ""), ("Description", ""),
        ("category name", ""), ("Kunde", "name"), ("Kundenname", "name"), ("Anschrift", "address"),
        ("Rechnungsadresse", "address"), ("Telefonnummer", "phone"), ("Mobilnummer", "phone"),
        ("Celular", "phone"), ("Nome do cliente", "name"), ("Endereço", "address"),
        ("연락처", "phone"), ("수령인", "name"), ("받는사람", "name"), ("전자우편", "email"),
        ("주민번호", "text"), ("phonenumber", "phone"), ("emailaddress", "email"),
        ("Geburtstag", "birth_date"), ("Kontonummer", "bank_account"), ("Kreditkarte", "card"),
        ("Cardholder", "name"), ("First", "name"), ("Empfänger", "name"), ("Inhaber", "name"),
        ("Ansprechpartner", "name"), ("Kundennummer", ""), ("Kontostand", ""), ("상품명", ""),
        ("Artikelname", ""), ("Nome do produto", ""), ("고객번호", ""), ("Bestelldatum", ""),
    ],
)  # fmt: skip
def test_headers_of_persons_are_masked(header: str, mask: str) -> None:
    assert personal.mask_by_header(header) == mask


def test_values_of_persons_are_masked() -> None:
    def mask(*cells: str) -> str:
        guess = Guess("column")
        guess.see(cells)
        return guess.mask

    assert mask("fine", "ask anna@example.com") == "email"
    assert mask("+44 7700 900123", "(033) 648-4477", "033-648-4477") == "phone"
    assert mask("2024-01-31", "01-02-2024") == ""
    assert mask("4006381333931", "0042", "12.50") == ""
    assert mask("01012345678", "01098765432") == "phone"
    assert mask("0000012345", "0000067890") == ""
    assert mask("by transfer", "DE89 3704 0044 0532 0130 00") == "bank_account"
    assert mask("DE88 3704 0044 0532 0130 00") == ""
    assert mask("4111 1111 1111 1111", "5500005555555559") == "card"
    assert mask("4111111111111112", "4111111111111113") == ""
    # Of many hashes one looks like an account.
    hashes = [f"{number:032x}" for number in range(8)]
    assert mask("DE89370400440532013000", *hashes) == ""


def test_card_numbers_that_are_numbers_are_masked() -> None:
    guess = Guess("column")
    guess.see([4111111111111111])
    assert guess.mask == "card"
    assert guess.decide().kind is Kind.TEXT


def test_synonyms_of_masked_fields_are_headers_of_persons() -> None:
    for form in formats.everything():
        for column in form.masks():
            for said in (column.key, *column.aliases):
                assert personal.mask_by_header(said), said
    assert any(form.masks() for form in formats.everything())


def test_kept_sheet_is_what_the_file_holds(oli: User) -> None:
    kept = keep(ORDERS, oli)
    by_label = {one.label: one for one in keeping.columns_of(kept)}
    assert {name: one.kind.value for name, one in by_label.items()} == {
        "order_id": "text", "customer_email": "text", "placed": "date", "country": "text",
        "note": "text",
    }  # fmt: skip
    assert by_label["customer_email"].mask == "email"
    lines = asking.ask(SheetFrame(kept), Wanted()).page()
    assert [line[0] for line in lines] == [row["order_id"] for row in rows_of(ORDERS)]
    assert lines[0] == ["007", "a•••••@e•••••.com", "30 Jan 2024", "France", "first"]
    assert by_label["country"].empty == 1
    assert Event.objects.filter(verb=keeping.KEPT, actor=oli).count() == 1


def test_cells_are_picked_as_they_are_read_whole() -> None:
    for packed in (pack_numbers([7, None, -(2**62), 0]), pack_texts(["b", "", "a", "b"])):
        whole = unpack(packed)
        for rows in ([], [3, 0], [1], [2, 2, 1, 0, 3]):
            assert picked(packed, rows) == [whole.at(row) for row in rows]


def test_nothing_of_the_sheet_lies_in_clear(oli: User) -> None:
    kept = keep(ORDERS, oli)
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM sheets_keptblock")
        stored = b"".join(bytes(body) for (body,) in cursor.fetchall())
    assert not any(word in stored for word in (b"anna@example.com", b"France", b"2024-01-30"))
    assert "anna" not in json.dumps(kept.columns)
    first, second = KeptBlock.objects.filter(sheet=kept, kind="v", column__in=(0, 1)).order_by("pk")
    first.body = second.body
    with pytest.raises(DamagedError):  # a block stands for its own place only
        Vault(kept).clear(first)


def test_blocks_hold_any_text() -> None:
    texts = ["", "a", "\ud800", "a", "\0", "é" * 70_000]
    assert unpack(pack_texts(texts)).data == texts


def test_filters_and_order_of_made_rows(oli: User) -> None:
    made = random.Random(7)
    rows = [
        (f"K{number:05}", made.choice(["red", "Red", "blue", ""]), made.randint(-500, 99_999))
        for number in range(12_000)
    ]
    text = "key,colour,price_gbp\n" + "".join(
        f"{key},{colour},{pence / 100:.2f}\n" for key, colour, pence in rows
    )
    frame = SheetFrame(keep(text, oli))

    def found(*filters: str, sort: str = "") -> list[int]:
        return list(asking.ask(frame, Wanted(tuple(map(Filter.of, filters)), sort)).places)

    def fits(test: object) -> list[int]:
        return [place for place, row in enumerate(rows) if test(row)]  # type: ignore[operator]

    assert found("c1:is:red") == fits(lambda row: row[1] == "red")
    assert found("c1:has:RED") == fits(lambda row: row[1].lower() == "red")
    assert found("c1:empty") == fits(lambda row: not row[1])
    assert found("c2:from:10", "c2:to:20.00") == fits(lambda row: 1000 <= row[2] <= 2000)
    assert found("c2:is:10.01") == fits(lambda row: row[2] == 1001)
    assert found("c1:filled", sort="-c2") == sorted(
        fits(lambda row: row[1]), key=lambda place: (rows[place][2], place), reverse=True
    )
    wanted = Wanted((Filter.of("c1:is:blue"),))
    total = sum(row[2] for row in rows if row[1] == "blue")
    assert asking.ask(frame, wanted).totals() == {"c2": [amount(total, 2, "GBP")]}
    everything = sum(row[2] for row in rows)
    assert asking.ask(frame, Wanted()).totals() == {"c2": [amount(everything, 2, "GBP")]}
    page = asking.ask(frame, Wanted(sort="c0", start=11_990)).page()
    assert [line[0] for line in page] == [row[0] for row in rows[11_990:]]


def test_hidden_values_answer_to_nothing(oli: User) -> None:
    frame = SheetFrame(keep(ORDERS, oli))
    for text in ("c1:is:anna@example.com", "c1:has:anna", "c9:is:1", "c2:is:no date", "c2:has:1"):
        with pytest.raises(BadFilterError):
            asking.ask(frame, Wanted((Filter.of(text),)))
    for sort in ("c1", "-c1", "c9"):
        with pytest.raises(BadFilterError):
            asking.ask(frame, Wanted(sort=sort))
    assert asking.ask(frame, Wanted((Filter.of("c1:filled"),))).size == 6


def test_column_is_masked_for_good(oli: User, kim: User) -> None:
    kept = keep(ORDERS, oli, shared=True)
    join = joining.save(actor=oli, name="J", left=kept, left_ref="c3", right=kept, right_ref="c3")
    with pytest.raises(PermissionDenied):
        keeping.mask(kept, "c3", actor=kim)
    keeping.mask(kept, "c3", actor=oli)
    assert not KeptJoin.objects.filter(pk=join.pk).exists()
    kept.refresh_from_db()
    lines = asking.ask(SheetFrame(kept), Wanted()).page()
    assert lines[0][3] == "••••••••"
    with pytest.raises(BadFilterError):
        asking.ask(SheetFrame(kept), Wanted(sort="c3"))


def both(oli: User) -> tuple[KeptSheet, KeptSheet]:
    return keep(ORDERS, oli, "Orders"), keep(ITEMS, oli, "Items")


def independent(fold_zeros: bool) -> tuple[int, list[str], list[str]]:  # noqa: FBT001
    """Return (pairs, keys only in orders, keys only in items) by plain Python."""

    def key(row: dict[str, str]) -> str:
        return row["order_id"].lstrip("0") if fold_zeros else row["order_id"]

    left, right = Counter(map(key, rows_of(ORDERS))), Counter(map(key, rows_of(ITEMS)))
    pairs = sum(count * right[one] for one, count in left.items() if one)
    only_left = [
        row["order_id"] for row in rows_of(ORDERS) if not key(row) or key(row) not in right
    ]
    only_right = [row["order_id"] for row in rows_of(ITEMS) if key(row) not in left]
    return pairs, only_left, only_right


@pytest.mark.parametrize("zeros", [False, True])
def test_join_equals_an_independent_count(oli: User, zeros: bool) -> None:  # noqa: FBT001
    orders, items = both(oli)
    join = joining.save(actor=oli, name="J", left=orders, left_ref="c0", right=items,
                        right_ref="c0", zeros=zeros)  # fmt: skip
    opened = joining.open_join(join, oli)
    pairs, only_left, only_right = independent(zeros)
    counts = opened.matched.counts
    assert (counts.pairs, counts.left_only, counts.right_only) == (
        pairs, len(only_left), len(only_right)
    )  # fmt: skip
    assert [line[0] for line in asking.ask(opened.left_only, Wanted()).page()] == only_left
    lonely = asking.ask(opened.right_only, Wanted())
    assert [line[0] for line in lonely.page()] == only_right
    prices = {row["order_id"]: Decimal(row["price_eur"]) for row in rows_of(ITEMS)}
    assert lonely.totals()["c2"] == [f"€{sum(prices[key] for key in only_right)}"]
    assert asking.ask(opened.frame, Wanted()).size == pairs
    assert (counts.left_empty, counts.left_repeated, counts.right_repeated) == (1, 0, 1)


def test_left_join_keeps_every_row(oli: User) -> None:
    orders, items = both(oli)
    join = joining.save(actor=oli, name="J", left=orders, left_ref="c0", right=items,
                        right_ref="c0", how="left")  # fmt: skip
    found = asking.ask(joining.open_join(join, oli).frame, Wanted())
    assert [line[0] for line in found.page()] == ["007", "007", "008", "009", "010", "011", ""]
    assert [line[5] for line in found.page()] == ["007", "007", "", "", "010", "011", ""]
    assert found.totals()["r.c2"] == ["€1,246.85"]


def test_keys_that_repeat_on_both_sides_are_refused_in_bulk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pairing, "MOST_PAIRS", 3)
    assert pairing.match(["a", "b"], ["a", "b", "b"]).counts.pairs == 3
    with pytest.raises(ValidationError):
        pairing.match(["a", "a"], ["a", "a"])


def test_masked_columns_join_by_whole_values_of_ones_own(oli: User) -> None:
    orders = keep(ORDERS, oli, shared=True)
    people = "E-mail,level\nANNA@example.com ,gold\nnobody@example.com,silver\n"
    levels = keep(people, oli, "Levels")
    join = joining.save(
        actor=oli, name="J", left=orders, left_ref="c1", right=levels, right_ref="c0"
    )
    opened = joining.open_join(join, oli)
    assert opened.matched.counts.pairs == 1
    line = asking.ask(opened.frame, Wanted()).page()[0]
    assert (line[0], line[1], line[5], line[6]) == (
        "007", "a•••••@e•••••.com", "A•••••@e•••••.com", "gold"
    )  # fmt: skip
    # Somebody with a list of guesses learns nothing of a sheet that was shared with them.
    other = make_person("ola", "ops")
    guesses = keep(people, other, "Guesses")
    with pytest.raises(ValidationError, match="not yours"):
        joining.save(
            actor=other, name="J", left=guesses, left_ref="c0", right=orders, right_ref="c1"
        )
    with pytest.raises(ValidationError, match="one of the two"):
        joining.save(actor=oli, name="J", left=orders, left_ref="c0", right=levels, right_ref="c0")


def test_join_with_a_model_is_in_the_scope_of_who_looks(oli: User, ann: User) -> None:
    for number in ("12346", "12347", "12399"):
        Customer.objects.create(number=number, email=f"{number}@example.com", country="France")
    nia = allow(allow(allow(make_person("nia"), keeping.ADD), keeping.VIEW),
                "sheets.add_importjob")  # fmt: skip
    kept = keep("customer,amount\n12346,1\n12346,2\n99999,3\n", nia)
    with pytest.raises(PermissionDenied):  # who may not open the page of customers
        joining.save(actor=nia, name="J", left=kept, left_ref="c0", right="customers.customer",
                     right_ref="number")  # fmt: skip
    ann = allow(allow(allow(ann, keeping.ADD), keeping.VIEW), "sheets.add_importjob")
    mine = keep("customer,amount\n12346,1\n12346,2\n99999,3\n", ann)
    join = joining.save(actor=ann, name="J", left=mine, left_ref="c0", right="customers.customer",
                        right_ref="number")  # fmt: skip
    opened = joining.open_join(join, ann)
    assert (opened.matched.counts.pairs, opened.matched.counts.right_only) == (2, 2)
    assert [line[0] for line in asking.ask(opened.right_only, Wanted()).page()] == [
        "12347",
        "12399",
    ]
    Customer.objects.create(number="99999")
    assert joining.open_join(join, ann).matched.counts.pairs == 3


def test_matching_a_list_with_a_model_takes_the_right_to_reveal(ann: User, eve: User) -> None:
    Customer.objects.create(number="1", email="anna@example.com")
    people = []
    for user in (ann, eve):
        for right in (keeping.ADD, keeping.VIEW, "sheets.add_importjob"):
            user = allow(user, right)  # noqa: PLW2901 - loaded anew with each right
        people.append(user)
    ann, eve = people
    for user in people:
        keep("email,level\nAnna@example.com,gold\nbob@example.com,x\n", user, f"List {user}")
    arguments: dict[str, Any] = {
        "left_ref": "c0",
        "right": "customers.customer",
        "right_ref": "email",
        "purpose": "legal",
        "text": "The court of Lyon asks",
        "fresh": True,
    }
    join = joining.save(actor=ann, name="J", left=KeptSheet.objects.get(owner=ann), **arguments)
    assert Event.objects.filter(verb=MATCHED, actor=ann).count() == 1
    assert joining.open_join(join, ann).matched.counts.pairs == 1
    with pytest.raises(PermissionDenied):
        joining.save(actor=eve, name="J", left=KeptSheet.objects.get(owner=eve), **arguments)


def drawn(kept: KeptSheet, oli: User, **options: str) -> list[charting.Group]:
    frame = SheetFrame(kept)
    chart = charting.save(
        kept, frame, actor=oli, name="C", kind=options.pop("kind", "bar"), **options
    )
    return charting.groups(chart, frame)


def test_chart_sums_are_exact_and_open_their_rows(oli: User) -> None:
    items = keep(ITEMS, oli, "Items")
    frame = SheetFrame(items)
    sums: dict[str, Decimal] = {}
    for row in rows_of(ITEMS):
        sums[row["sku"]] = sums.get(row["sku"], Decimal(0)) + Decimal(row["price_eur"])
    groups = drawn(items, oli, group="c1", measure="sum", measured="c2")
    assert {one.label: Decimal(one.number).scaleb(-one.scale) for one in groups} == sums
    assert [one.label for one in groups] == ["0044", "0042", "0043"]
    for one in groups:
        found = asking.ask(frame, Wanted(tuple(map(Filter.of, one.filters))))
        assert found.totals()["c2"] == [amount(one.number, one.scale, one.currency)]
        assert found.size == one.sums.rows
    average = {
        one.label: one for one in drawn(items, oli, group="c1", measure="average", measured="c3")
    }
    assert (average["0042"].number, average["0042"].scale) == (233, 2)  # 7 / 3
    assert average["0043"].number == 100  # of 1 and an empty cell


@pytest.mark.parametrize(
    ("period", "labels"),
    [
        (
            "day",
            ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-29", "2024-03-01", "2024-03-02"],
        ),
        ("week", ["2024-01-29", "2024-02-26"]),
        ("month", ["2024-01", "2024-02", "2024-03"]),
    ],
)
def test_dates_go_by_periods(oli: User, period: str, labels: list[str]) -> None:
    kept = keep(ORDERS, oli)
    groups = drawn(kept, oli, group="c2", measure="count", period=period, kind="line")
    assert [one.label for one in groups] == labels
    assert sum(one.number for one in groups) == 6
    for one in groups:
        wanted = Wanted(tuple(map(Filter.of, one.filters)))
        assert asking.ask(SheetFrame(kept), wanted).size == one.number


def test_currencies_are_never_added(oli: User) -> None:
    kept = keep("shop,amount\na,1.10 EUR\na,2 GBP\nb,0.05 EUR\nb,\n", oli)
    groups = drawn(kept, oli, group="c0", measure="sum", measured="c1")
    assert [(one.label, one.number, one.currency) for one in groups] == [
        ("a", 200, "GBP"), ("a", 110, "EUR"), ("b", 5, "EUR")
    ]  # fmt: skip
    beside = keep("shop,amount,currency\na,1.10,EUR\na,2,GBP\n", oli, "Beside")
    assert asking.ask(SheetFrame(beside), Wanted()).totals() == {"c1": ["€1.10", "£2.00"]}


def test_what_does_not_fit_one_picture_is_one_mark(oli: User) -> None:
    kept = keep("name of shop,n\n" + "".join(f"s{n},{n}\n" for n in range(1, 101)), oli)
    groups = drawn(kept, oli, group="c0", measure="sum", measured="c1", kind="pie")
    assert len(groups) == charting.RING_PARTS
    assert sum(one.number for one in groups) == 5050
    assert groups[-1].filters == ()


@pytest.mark.parametrize(
    "options",
    [
        {"group": "c1", "measure": "count"},
        {"group": "c0", "measure": "sum", "measured": "c0"},
        {"group": "c2", "measure": "count"},
        {"group": "c0", "measure": "count", "period": "day"},
        {"group": "c9", "measure": "count"},
    ],
)
def test_charts_of_what_cannot_be_drawn_are_refused(oli: User, options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        drawn(keep(ORDERS, oli), oli, **options)
    assert not KeptChart.objects.exists()


def test_try_that_was_killed_leaves_nothing(oli: User) -> None:
    job = take(ORDERS, oli)
    kept = keeping.keep(job, actor=oli, name="Orders", sheet=job.sheets[0]["name"], header_row=1)
    safe = Vault(kept)
    for kind in "dvo":  # what a worker that died had written
        safe.block(kept, kind, 0, 0, pack_texts(["old"])).save()
        safe.block(kept, kind, 7, 9, pack_texts(["old"])).save()
    assert kept.job is not None
    execute(kept.job.pk)
    kept.refresh_from_db()
    assert asking.ask(SheetFrame(kept), Wanted()).page()[0][0] == "007"
    assert not kept.blocks.filter(kind="d").exists()
    assert not kept.blocks.filter(column=7).exists()


def test_sheet_without_rows_fails_in_words(oli: User) -> None:
    job = take("a,b\n1,2\n", oli)
    kept = keeping.keep(job, actor=oli, name="None", sheet=job.sheets[0]["name"], header_row=5)
    assert kept.job is not None
    execute(kept.job.pk)
    kept.refresh_from_db()
    assert (kept.state, kept.message) == ("failed", "There are no rows below the header.")
    assert not kept.blocks.exists()


def test_expired_sheets_go_with_all_that_was_made_of_them(oli: User) -> None:
    kept = keep(ORDERS, oli)
    stays = keep(ITEMS, oli, "Items", days=0)
    joining.save(actor=oli, name="J", left=stays, left_ref="c0", right=kept, right_ref="c0")
    assert keeping.expire() == 0
    KeptSheet.objects.filter(pk=kept.pk).update(expires_at=timezone.now())
    assert keeping.expire() == 1
    assert list(KeptSheet.objects.values_list("pk", flat=True)) == [stays.pk]
    assert not KeptJoin.objects.exists()
    assert not KeptBlock.objects.filter(sheet_id=kept.pk).exists()


def test_promoted_sheet_is_an_import_of_the_same_rows(oli: User) -> None:
    kept = keep(ORDERS, oli)
    job = promoting.promote(kept, actor=oli)
    with job.open() as file:
        rows = list(csv.DictReader(StringIO(file.read().decode("utf-8-sig"))))
    read = [{name: unescape(cell) for name, cell in row.items()} for row in rows]
    assert read == rows_of(ORDERS)
    assert job.owner == oli
    assert b"anna@example.com" not in job.file.open("rb").read()
    other = make_person("ola", "ops")
    keeping.share(kept, True, actor=oli)
    with pytest.raises(PermissionDenied):  # its clear values would go along
        promoting.promote(kept, actor=other)


@pytest.mark.parametrize("cell", ["'=x", "''a", "=1+1", "-5 pieces", "plain", "'plain", "@me"])
def test_promoted_cells_are_read_as_they_were_kept(oli: User, cell: str) -> None:
    kept = keep(f"order_id,note\n7,{safe_text(cell)}\n8,x\n", oli)
    assert SheetFrame(kept).cells(ref(kept, "note")).data[0] == cell
    again = promoting.promote(kept, actor=oli)
    rows = list(reader.rows(again, sheets=[again.sheets[0]["name"]], seconds=60))
    assert rows[1].cells[1] == cell


def test_promoting_stops_at_the_size_of_an_upload(
    oli: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = keep("id,note\n" + "".join(f"{n},text {n}\n" for n in range(3_000)), oli)
    read = []
    rows = SheetFrame.rows

    def counted(*args: Any) -> Any:
        read.append(1)
        return rows(*args)

    monkeypatch.setattr(guard, "MAX_BYTES", 5_000)
    monkeypatch.setattr(SheetFrame, "rows", counted)
    with pytest.raises(ReadError):
        promoting.promote(kept, actor=oli)
    assert len(read) == 1


def test_sheet_whose_job_was_lost_keeps_no_cells(oli: User) -> None:
    kept = keep(ORDERS, oli)
    KeptSheet.objects.filter(pk=kept.pk).update(state=KeptSheet.State.LOADING)
    assert kept.job is not None
    Job.objects.filter(pk=kept.job.pk).update(state=Job.State.FAILED)
    keeping.tidy()
    kept.refresh_from_db()
    assert kept.state == KeptSheet.State.FAILED
    assert not kept.blocks.exists()


def test_erased_number_is_gone_from_a_column_of_numbers(oli: User) -> None:
    kept = keep("id,reached,pieces\n1,447700904831,5\n2,447700904999,6\n", oli)
    column = next(one for one in keeping.columns_of(kept) if one.label == "reached")
    assert column.kind is Kind.WHOLE
    values = [("phone", "+44 7700 904831")]
    people = Elsewhere(values, Mentions(values))

    class Group:
        elsewhere = people

    step = erasing.forget(None, Erasure(Group(), None, None), None, 100)  # type: ignore[arg-type]
    assert step.changed == 1
    kept.refresh_from_db()
    frame = SheetFrame(kept)
    cells = frame.cells(column.ref)
    assert (cells.at(0), cells.at(1)) == (None, 447700904999)
    assert list(frame.order(column.ref)) == [1, 0]
    after = next(one for one in keeping.columns_of(kept) if one.ref == column.ref)
    assert (dict(after.totals), after.empty) == ({"": 447700904999}, 1)


def test_erased_person_is_gone_from_kept_sheets(oli: User) -> None:
    kept = keep(ORDERS, oli)
    every = Mentions([("email", "anna@example.com")])
    people = Elsewhere([("email", "anna@example.com")], every)

    class Group:
        elsewhere = people

    erasure = Erasure(Group(), None, None)  # type: ignore[arg-type]
    step = erasing.forget(None, erasure, None, 100)  # type: ignore[arg-type]
    assert (step.changed, step.after) == (1, None)
    cells = SheetFrame(kept).cells("c1").data
    assert cells[:2] == ["", "bob@example.com"]
    assert erasing.forget(None, erasure, None, 100).changed == 0  # type: ignore[arg-type]


def test_shared_orders_and_items(oli: User) -> None:
    """Real orders and lines, damaged by a spreadsheet: counted by the csv module alone."""
    orders = shared("local-only/k03_olist_orders_blank_tail.csv").read_bytes()
    items = shared("local-only/k05_olist_items_orphans.csv").read_bytes()
    left = [row for row in csv.DictReader(StringIO(orders.decode())) if any(row.values())]
    right = [row for row in csv.DictReader(StringIO(items.decode())) if any(row.values())]
    known = {row["order_id"] for row in left}
    sold = [row for row in right if row["order_id"] in known]
    first, second = keep(orders, oli, "Orders"), keep(items, oli, "Items")
    assert (first.rows, second.rows) == (len(left), len(right)) == (9_999, 9_998)
    key = (ref(first, "order_id"), ref(second, "order_id"))
    join = joining.save(actor=oli, name="J", left=first, left_ref=key[0], right=second,
                        right_ref=key[1])  # fmt: skip
    opened = joining.open_join(join, oli)
    assert opened.matched.counts.right_matched == len(sold) == 974
    alone = asking.ask(opened.right_only, Wanted())
    assert alone.size == len(right) - len(sold)
    price = f"r.{ref(second, 'price')}"
    chart = charting.save(join, opened.frame, actor=oli, name="C", kind="column", measure="sum",
                          group=f"l.{ref(first, 'order_status')}", measured=price)  # fmt: skip
    groups = charting.groups(chart, opened.frame)
    total = sum(Decimal(one.number).scaleb(-one.scale) for one in groups)
    assert total == sum(Decimal(row["price"]) for row in sold)


def test_column_shows_a_mask_whatever_is_asked() -> None:
    column = Column("c0", "E-mail", mask="email")
    assert column.shown("anna@example.com") == "a•••••@e•••••.com"
    assert column.plain("anna@example.com") == "a•••••@e•••••.com"


def test_sheet_that_is_being_read_and_a_running_undo_keep_an_erasure_waiting(oli: User) -> None:
    kept = keep(ORDERS, oli)
    assert places.busy(None) == []  # type: ignore[arg-type]
    KeptSheet.objects.filter(pk=kept.pk).update(state=KeptSheet.State.LOADING)
    undo = Undo.objects.create(import_job=take(ITEMS, oli), owner=oli)
    made = Job.objects.create(kind="sheets.export", owner=oli)
    export = ExportJob.objects.create(owner=oli, asked=1, job=made)
    found = {(one.label, one.key) for one in places.busy(None)}  # type: ignore[arg-type]
    assert found == {
        ("sheets.keptsheet", str(kept.pk)),
        ("sheets.undo", str(undo.pk)),
        ("sheets.exportjob", str(export.pk)),
    }
