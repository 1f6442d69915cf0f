"""An import tells as little of a value that has to be single, and no more often."""

from collections.abc import Sequence
from typing import Any

import pytest
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.audit.models import Event
from backoffice.masking import existence
from backoffice.masking.values import MaskedQueryError
from backoffice.sheets.formats import Derivation, Format, Record
from backoffice.sheets.models import ImportJob
from backoffice.sheets.resources import Plan, SheetResource, Step
from backoffice.sheets.writing import engine
from tests.masking.models import Login

TAKEN = "qzholder@example.com"


class LoginStep(Step):
    dataset = "logins"
    label = "Logins"

    def plan(self, records: Sequence[Record], derivation: Derivation) -> Plan:
        plan = Plan(Login, fields=("email",))
        for record in records:
            if number := record.values.get("id"):
                row = Login.objects.get(pk=number)
                row.email = record.values["email"]
                plan.update.append((row, record))
            else:
                plan.create.append((Login(**record.values), record))
        return plan


class LoginFormat(Format):
    key = "logins"
    steps = (LoginStep,)


class LoginSheet(SheetResource):
    dataset = "logins"
    label = "Logins"

    class Meta:
        model = Login
        import_id_fields = ("email",)
        fields = ("email", "code")


@pytest.fixture(autouse=True)
def logins(tables: None, db: None, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.BACKOFFICE_TAKEN_PER_DAY = 2
    Login.objects.create(email=TAKEN, code="0105550111")

    def create(rows: list[Any], **_signed: Any) -> None:
        Login.objects.bulk_create(rows)

    def update(rows: list[Any], fields: list[str], **_signed: Any) -> None:
        if rows:
            Login.objects.bulk_update(rows, fields)

    # The table of the tests has no history.
    monkeypatch.setattr(history, "bulk_create", create)
    monkeypatch.setattr(history, "bulk_update", update)


def imported(actor: User, *values: dict[str, Any]) -> list[str]:
    """Import rows with these values; return the codes of what was wrong, in their order."""
    job = ImportJob.objects.create(
        owner=actor, format="logins", state=ImportJob.State.RUNNING, size=1, sha256="0" * 64
    )
    records = [Record(dict(one), "Sheet", place) for place, one in enumerate(values, start=2)]
    derivation = Derivation(datasets={"logins": records})
    writer = engine.Writer(job, LoginFormat(), derivation, actor=actor)
    writer.run(lambda *_told: None, lambda: None)
    return list(job.problems.order_by("row").values_list("code", flat=True))


def told() -> int:
    return len(Event.objects.filter(verb=existence.TOLD))


def test_each_refused_row_counts_and_over_the_cap_no_row_is_answered(oli: User) -> None:
    rows = [{"email": TAKEN}] * 3 + [{"email": "qzfree1@example.com"}]
    assert imported(oli, *rows) == ["refused", "refused", "too-often", "too-often"]
    assert (told(), Login.objects.count()) == (2, 1)
    assert imported(oli, {"email": "qzfree2@example.com"}) == ["too-often"]
    assert (told(), Login.objects.count()) == (2, 1)


def test_value_of_a_constraint_over_an_index_counts_too(oli: User) -> None:
    rows = [{"email": f"qzfree{number}@example.com", "code": "0105550111"} for number in range(3)]
    assert imported(oli, *rows) == ["refused", "refused", "too-often"]
    event = Event.objects.filter(verb=existence.TOLD).first()
    assert event is not None
    assert (event.actor, event.outcome, event.subject_id) == (oli, "refused", "")
    assert event.context == {"fields": ["code", "email"]}


def test_changed_row_counts_too(oli: User) -> None:
    other = Login.objects.create(email="qzother@example.com")
    rows = [{"id": other.pk, "email": email} for email in (TAKEN, TAKEN, "qzfree@example.com")]
    assert imported(oli, *rows) == ["refused", "refused", "too-often"]
    assert str(Login.objects.get(pk=other.pk).email) == str(other.email)


def test_free_values_cost_nothing(oli: User) -> None:
    rows = [{"email": f"qzfree{number}@example.com"} for number in range(5)]
    assert (imported(oli, *rows), told(), Login.objects.count()) == ([], 0, 6)


def test_check_looks_no_row_up_by_a_hidden_value() -> None:
    with pytest.raises(MaskedQueryError):
        LoginSheet().existing([Record({"email": TAKEN, "code": ""}, "Sheet", 2)])
