"""Rows of plain formats by chance, by each way of writing, held against an oracle of dicts."""

import csv
import io
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.jobs.run import execute
from backoffice.sheets import answers, services, staging
from backoffice.sheets.models import ImportJob, Undo
from backoffice.sheets.reading.dialects import Dialect
from backoffice.sheets.services import StateError
from backoffice.sheets.writing import byrow, engine, wholes
from sellers.models import Seller
from tests.people import allow
from tests.sheets import supplies
from tests.sheets.journal import stored, take_back
from tests.sheets.made import check, upload
from tests.sheets.plain_oracle import (
    KINDS,
    Key,
    Kind,
    Line,
    Outcome,
    Record,
    draw,
    key_of,
    outcome,
    record_of,
)
from tests.sheets.test_fuzz import ONE, rounds

WORDS = ("created", "updated", "unchanged", "failed", "skipped")


@dataclass
class Round:
    """One import by lot."""

    kind: Kind
    lines: list[Line]
    names: list[str]
    job: ImportJob
    lot: random.Random

    @property
    def found(self) -> dict[Key, Record]:
        """The records as the database holds them, by key."""
        rows = [_record(self.kind, row) for row in self.kind.model.objects.all()]
        found = {key_of(self.kind, row): row for row in rows}
        assert len(found) == len(rows)
        return found


def _record(kind: Kind, row: Any) -> Record:
    """Return what a row holds, in clear."""
    values = {}
    for name in kind.cells:
        attribute = {"price": "price_minor"}.get(name, name)
        value = row.seller.code if name == "seller" else getattr(row, attribute)
        is_hidden = name in kind.hidden
        values[name] = row._meta.get_field(name).get_prep_value(value) if is_hidden else value
    return values


def _fields(kind: Kind, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as the model's constructor takes it."""
    values = dict(record)
    if "seller" in values:
        values["seller"] = Seller.objects.get(code=values["seller"])
        values["price_minor"] = values.pop("price")
    return values


def _put(kind: Kind, records: Sequence[Record], oli: User) -> None:
    """Make records, of each key the first."""
    known = {key_of(kind, one) for one in records}
    wanted = {key: next(one for one in records if key_of(kind, one) == key) for key in known}
    rows = [kind.model(**_fields(kind, wanted[key])) for key in sorted(wanted)]
    history.bulk_create(rows, actor=oli, reason="before")


def _meanwhile(one: Round, oli: User) -> None:
    """Let another person change, delete or make a record between check and run."""
    lot, kind = one.lot, one.kind
    record = record_of(kind, lot)
    rows = [
        row
        for row in kind.model.objects.all()
        if key_of(kind, _record(kind, row)) == key_of(kind, record)
    ]
    if not rows:
        _put(kind, [record], oli)
    elif lot.random() < 0.3:
        history.delete(rows, actor=oli, reason="meanwhile")
    else:
        values = _fields(kind, record)
        for name, value in values.items():
            setattr(rows[0], name, value)
        history.bulk_update(rows, list(values), actor=oli, reason="meanwhile")


def _text(cell: Any) -> str:
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    return "" if cell is None else str(cell)


def _file(names: Sequence[str], lines: Sequence[Line], lot: random.Random) -> tuple[bytes, str]:
    rows = [[line.cells[name] for name in names] for line in lines]
    if lot.random() < 0.6:
        return supplies.book(rows, tuple(names)), "file.xlsx"
    file = io.StringIO()
    csv.writer(file).writerows([names, *([_text(cell) for cell in row] for row in rows)])
    return file.getvalue().encode(), "file.csv"


def _begun(lot: random.Random, oli: User) -> Round:
    """Return an import of rows by lot into a table with rows by lot, not checked yet."""
    kind = lot.choice(KINDS)
    _put(kind, [record_of(kind, lot) for _row in range(lot.randint(0, 5))], oli)
    left = [] if lot.random() < 0.7 else [lot.choice(list(kind.cells))]
    left += ["price"] if "currency" in left else []
    names = [name for name in kind.cells if name not in left or name in kind.keys]
    lot.shuffle(names)
    lines: list[Line] = []
    while not lines:
        drawn = (draw(kind, names, lot) for _row in range(lot.randint(1, 14)))
        # A row of empty cells is none: no reader gives it, and the numbers of others would shift.
        lines = [
            one for one in drawn if any(str(cell or "").strip() for cell in one.cells.values())
        ]
    content, name = _file(names, lines, lot)
    job = upload(content, oli, name)
    if job.kind == "csv":
        answers.read_as(job, Dialect(), actor=oli)
    (sheet,) = [one["name"] for one in job.sheets]
    places = {name: index for index, name in enumerate(names)}
    ImportJob.objects.filter(pk=job.pk).update(
        format=kind.key, chosen=[sheet], mapping={sheet: {"header_row": 1, "columns": places}},
        mode=lot.choice(("both", "both", "create", "update")), whole=lot.random() < 0.3,
    )  # fmt: skip
    job.refresh_from_db()
    return Round(kind, lines, names, job, lot)


def _print(one: Round, words: Sequence[str]) -> None:
    """Show the round, for whoever looks for what is wrong."""
    print(
        one.kind.key, one.job.mode, "whole" if one.job.whole else "", *one.found.values(), sep="\n"
    )
    for number, (line, word) in enumerate(zip(one.lines, words, strict=True), 2):
        print(number, line.cells, word)
    print(*one.job.problems.values_list("row", "code", "column", "params"), sep="\n")


def _go(one: Round, oli: User) -> None:
    """Check, run and undo an import, and hold each against the oracle."""
    kind, job, lot = one.kind, one.job, one.lot
    expected = outcome(kind, one.lines, one.found, job.mode)
    if ONE:
        _print(one, expected.words)
    check(job)
    assert job.state == ImportJob.State.CHECKED, job.message
    told = Counter({"failed": job.summary["failed"], "skipped": job.summary.get("skipped", 0)})
    assert told == Counter({word: expected.counts[word] for word in ("failed", "skipped")})
    if lot.random() < 0.4:
        _meanwhile(one, oli)
    before, tables = one.found, stored(kind.model)
    checked = expected.words
    expected = outcome(kind, one.lines, before, job.mode, checked)
    if not _run(one, checked, expected):
        assert stored(kind.model) == tables
        return
    assert one.found == expected.records
    _hold_counts(one, expected)
    written = expected.counts["created"] + expected.counts["updated"]
    past = kind.model.history.filter(history_change_reason=job.change_reason)
    assert past.count() == written
    if written:
        begun = take_back(job, oli)
        assert (begun.state, begun.left.count()) == ("done", 0)
    assert stored(kind.model) == tables


def _hold_counts(one: Round, expected: Outcome) -> None:
    (counts,) = one.job.counters.values()
    wanted = {word: expected.counts[word] for word in WORDS}
    assert {word: counts.get(word, 0) for word in WORDS} == wanted


def _run(one: Round, checked: Sequence[str], expected: Outcome) -> bool:
    """Run it; whether it wrote. What is all or nothing, and lacks a row, may not."""
    job = one.job
    if job.whole and "failed" in checked:
        with pytest.raises(StateError):
            services.start(job, actor=job.owner)
        return False
    execute(services.start(job, actor=job.owner).pk)
    job.refresh_from_db()
    if not (job.whole and expected.counts["failed"]):
        assert job.state == ImportJob.State.DONE, job.message
        return True
    for begun in Undo.objects.filter(import_job=job, by_itself=True):
        assert begun.job is not None
        execute(begun.job.pk)
    job.refresh_from_db()
    assert job.state in {ImportJob.State.FAILED, ImportJob.State.UNDONE}
    return False


@pytest.mark.django_db
@pytest.mark.usefixtures("supply_tables")
def test_values_of_plain_formats_are_those_of_an_oracle_and_go_back(
    oli: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(oli, "customers.import_customer")
    for code in ("s-1", "s-2"):
        Seller.objects.create(code=code, name=code)
    monkeypatch.setitem(apps.app_configs, "sheets_tests", supplies.app())
    for number in rounds("values", 8):
        lot = random.Random(number)
        _cut(lot, monkeypatch)
        try:
            one = _begun(lot, oli)
            if one.kind.by_row:  # rows of one part are tried together, and may build on another
                monkeypatch.setattr(staging, "SIZE", 2000)
            _go(one, oli)
        except BaseException:
            print(f"round {number}")
            raise
        Path(one.job.file.path).unlink(missing_ok=True)
        _empty(one.kind.model)


def _cut(lot: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few rows be many: parts, chunks and transactions end after some of them."""
    for module, name, choices in (
        (staging, "SIZE", (2, 5, 2000)), (engine, "CHUNK", (1, 3, 500)),
        (byrow, "_SECONDS", (0, 0.15)), (wholes, "SHORT", (0.0, 2.0)),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, lot.choice(choices))


def _empty(model: Any) -> None:
    """Take out all rows, and what is remembered of them."""
    for table in (model.objects, model.history):
        table.all()._raw_delete(table.db)
