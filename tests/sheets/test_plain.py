"""A plain Resource as a format: its rows come in as its own `import_data` would bring them."""

from typing import Any

import pytest

from backoffice.accounts.models import User
from backoffice.sheets import formats, staging
from backoffice.sheets.models import ImportJob, ImportSpan, Status
from backoffice.sheets.writing import staged
from backoffice.sheets.writing.ways import Way
from tests.sheets.made import check, run, said, upload
from tests.sheets.supplies import Ruled, Supply, book, row

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("supply_tables")]
BOTH = pytest.mark.parametrize("model", [Supply, Ruled])


def bring_in(rows: list[list[Any]], oli: User, model: Any, **values: Any) -> ImportJob:
    """Upload, check and run a sheet of rows."""
    job = upload(book(rows), oli)
    key = "test-supplies" if model is Supply else "test-ruled"
    ImportJob.objects.filter(pk=job.pk).update(format=key, **values)
    job.refresh_from_db()
    check(job)
    assert job.state == ImportJob.State.CHECKED, job.message
    return run(job)


@BOTH
def test_rows_come_in_with_history_and_again_change_nothing(oli: User, model: Any) -> None:
    rows = [row(number) for number in range(1, 61)]
    job = bring_in(rows, oli, model)
    assert job.state == ImportJob.State.DONE, job.message
    assert model.objects.count() == model.history.count() == 60
    one, past = model.objects.get(ext_id=7), model.history.get(ext_id=7)
    assert (one.name, str(one.amount), one.kind) == ("Name 7", "0.07", "sheet")
    assert one.ordered_at.isoformat() == "2020-01-01T00:07:00+00:00"
    assert (past.history_type, past.history_user, past.history_change_reason) == (
        "+", oli, job.change_reason,
    )  # fmt: skip
    assert [one["system"] for one in job.sums] == [60]
    again = bring_in(rows, oli, model)
    counts = {"created": 0, "updated": 0, "unchanged": 60, "failed": 0}
    assert again.counters[again.format and model._meta.model_name] == counts
    assert model.history.count() == 60
    assert staging.totals(again)[model._meta.model_name][Status.UNCHANGED] == 60


@BOTH
def test_sum_differs_where_the_table_does_not_hold_a_record(oli: User, model: Any) -> None:
    job = bring_in([row(number) for number in range(1, 6)], oli, model)
    form: Any = formats.get(job.format)
    (fine,) = staged.sums(job, form)
    assert (fine["ready"], fine["system"]) == (5, 5)
    model.objects.filter(ext_id=4)._raw_delete("default")  # nobody says so in the history
    (wrong,) = staged.sums(job, form)
    assert (wrong["ready"], wrong["system"]) == (5, 4)


ODD = [r"\N", r"\.", r"a\tb\\", "tab\there", "two\nlines", '"quoted", and more', "üñí 김 😀", "."]


@BOTH
@pytest.mark.parametrize("beside", [[], [row(90, note=None)]], ids=["all filled", "one empty"])
def test_odd_texts_are_stored_as_they_stand(oli: User, model: Any, beside: list[list[Any]]) -> None:
    rows = [row(number, note=text) for number, text in enumerate(ODD, 1)]
    job = bring_in([*rows, *beside], oli, model)
    assert (job.state, said(job)) == (ImportJob.State.DONE, [])
    for manager in (model.objects, model.history):
        stored = manager.filter(ext_id__lt=90).order_by("ext_id")
        assert list(stored.values_list("note", flat=True)) == ODD


@BOTH
def test_changed_rows_are_written_with_history_and_a_span(oli: User, model: Any) -> None:
    bring_in([row(number) for number in range(1, 21)], oli, model)
    before = model.objects.get(ext_id=3).changed_at
    rows = [row(number) for number in range(1, 21)]
    rows[2] = row(3, note="another", amount=9.5)
    job = bring_in([*rows, row(21)], oli, model)
    assert job.counters[model._meta.model_name] == {
        "created": 1, "updated": 1, "unchanged": 19, "failed": 0,
    }  # fmt: skip
    changed = model.objects.get(ext_id=3)
    assert (changed.note, str(changed.amount)) == ("another", "9.50")
    assert changed.changed_at > before
    assert list(model.history.filter(ext_id=3).values_list("history_type", flat=True)) == ["~", "+"]
    spans = ImportSpan.objects.filter(import_job=job, model=model._meta.label)
    assert sum(spans.values_list("rows", flat=True)) == 2


@BOTH
def test_every_row_is_checked_and_the_good_ones_come_in(oli: User, model: Any) -> None:
    rows = [
        row(1),
        row(2, status="lost"),
        row(3, amount="many"),
        row(4, name=None),
        row(1, note="again"),
        row(6, ordered_at="yesterday", country="Korea"),
        row(7, amount=12345678901.5),
    ]
    job = bring_in(rows, oli, model)
    assert [one[:1] + one[2:] for one in said(job)] == [
        ("invalid", 3, "status"),
        ("not-number", 4, "amount"),
        ("invalid", 5, "name"),
        ("twice", 6, "ext_id"),
        ("invalid", 7, "country"),
        ("not-date", 7, "ordered_at"),
        ("invalid", 8, "amount"),
    ]
    twice = job.problems.get(code="twice")
    assert "Row 2 and row 6" in twice.wrong
    assert list(model.objects.values_list("ext_id", flat=True)) == [1]
    assert job.counters[model._meta.model_name]["failed"] == 6
    assert job.summary["ready"] == 1


def test_rule_of_the_model_is_asked(oli: User) -> None:
    job = bring_in([row(2, amount=2_000_000.5), row(3)], oli, Ruled)
    assert [one[:1] + one[2:] for one in said(job)] == [("invalid", 2, "amount")]
    assert formats.get("test-ruled").verdict.way == Way.BULK  # type: ignore[attr-defined]
    assert formats.get("test-supplies").verdict.way == Way.FAST  # type: ignore[attr-defined]


@BOTH
def test_mode_leaves_rows_alone(oli: User, model: Any) -> None:
    bring_in([row(1)], oli, model)
    name = model._meta.model_name
    only_new = bring_in([row(1, note="x"), row(2)], oli, model, mode="create")
    assert only_new.counters[name] == {
        "created": 1, "updated": 0, "unchanged": 0, "failed": 0, "skipped": 1,
    }  # fmt: skip
    assert [one[0] for one in said(only_new)] == ["exists"]
    only_old = bring_in([row(1, note="y"), row(3)], oli, model, mode="update")
    assert only_old.counters[name] == {
        "created": 0, "updated": 1, "unchanged": 0, "failed": 0, "skipped": 1,
    }  # fmt: skip
    assert list(model.objects.order_by("ext_id").values_list("ext_id", "note")) == [
        (1, "y"), (2, "note 2"),
    ]  # fmt: skip


@BOTH
def test_row_that_changed_between_check_and_run_is_compared_again(oli: User, model: Any) -> None:
    bring_in([row(1)], oli, model)
    job = upload(book([row(1), row(2)]), oli)
    key = "test-supplies" if model is Supply else "test-ruled"
    ImportJob.objects.filter(pk=job.pk).update(format=key)
    job.refresh_from_db()
    check(job)
    stored = model.objects.get(ext_id=1)
    stored.note = "by hand"
    stored.save()
    run(job)
    assert job.counters[model._meta.model_name]["updated"] == 1
    assert model.objects.get(ext_id=1).note == "note 1"


@pytest.mark.parametrize(
    ("mode", "before", "code"), [("create", [], "exists"), ("update", [2], "absent")]
)
def test_rows_that_came_or_went_after_the_check_are_told(
    oli: User, mode: str, before: list[int], code: str
) -> None:
    bring_in([row(1), *map(row, before)], oli, Supply)
    job = upload(book([row(1), row(2)]), oli)
    ImportJob.objects.filter(pk=job.pk).update(format="test-supplies", mode=mode)
    job.refresh_from_db()
    check(job)
    assert said(job) == []
    if before:
        Supply.objects.filter(ext_id=2).delete()
    else:
        bring_in([row(2, note="of somebody else")], oli, Supply)
    run(job)
    assert [(one[0], one[2]) for one in said(job)] == [(code, 3)]
    assert job.counters["supply"] == {
        "created": 0, "updated": 0, "unchanged": 1, "failed": 0, "skipped": 1,
    }  # fmt: skip


def test_lost_zeros_are_found_wherever_they_begin(oli: User) -> None:
    """The upload looks at forty rows only."""
    codes = [10000 + number * 7919 % 90000 for number in range(58)]
    job = upload(book([row(code) for code in [*codes, 1067, 99999, 4109]]), oli)
    assert not [one for one in job.notes if "zeros" in one]
    ImportJob.objects.filter(pk=job.pk).update(format="test-supplies")
    job.refresh_from_db()
    check(job)
    (found,) = job.problems.all()
    assert (found.code, found.row, found.column, found.count) == ("lost-zeros", 60, "ext_id", 2)
    assert found.severity == "warning"
    assert "5 digits, this one 4" in found.wrong
    assert job.summary["ready"] == 61


def test_a_running_number_has_lost_no_zeros(oli: User) -> None:
    job = upload(book([row(number) for number in (9990, 9995, *range(10000, 10060))]), oli)
    ImportJob.objects.filter(pk=job.pk).update(format="test-supplies")
    job.refresh_from_db()
    check(job)
    assert not job.problems.exists()
