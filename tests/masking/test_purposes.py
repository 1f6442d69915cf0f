"""Purposes: counted in a row a purpose and day, and told on a page."""

import pytest
from django.db import transaction
from django.template import Context, Template
from django.test import TestCase
from django.urls import reverse
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.masking import clear, purposes, uses
from backoffice.masking.models import PurposeUse
from tests.clients import signed_in
from tests.masking.conftest import leaks
from tests.masking.models import Person
from tests.masking.test_pages import text

LETTER = purposes.register("tests.letter", gettext_lazy("Print a letter"))


def counted(purpose: str = LETTER) -> int:
    return sum(PurposeUse.objects.filter(purpose=purpose).values_list("count", flat=True))


@pytest.fixture(autouse=True)
def _nothing_pending() -> None:
    uses._pending.clear()


def test_many_uses_of_one_transaction_are_one_row(person: Person) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True), transaction.atomic():
        for _number in range(50):
            clear(person.phone, purpose=LETTER)
        assert counted() == 0
    assert (counted(), PurposeUse.objects.filter(purpose=LETTER).count()) == (50, 1)
    with TestCase.captureOnCommitCallbacks(execute=True):
        clear(person.name, purpose=LETTER)
    assert (counted(), PurposeUse.objects.filter(purpose=LETTER).count()) == (51, 1)


def test_use_that_was_rolled_back_counts_with_the_next(person: Person) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        with transaction.atomic():
            clear(person.phone, purpose=LETTER)
            transaction.set_rollback(True)
        clear(person.phone, purpose=LETTER)
    assert counted() == 2


def test_count_is_not_lost_when_it_cannot_be_written(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_kwargs: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(PurposeUse.objects, "get_or_create", broken)
        with TestCase.captureOnCommitCallbacks(execute=True):
            clear(person.phone, purpose=LETTER)
    assert counted() == 0
    uses.write()
    assert counted() == 1


def test_blank_and_unknown_purpose_count_nothing(person: Person) -> None:
    clear("", purpose=LETTER)
    with pytest.raises(purposes.UnknownPurposeError):
        clear(person.phone, purpose="tests.never_registered")
    assert not uses._pending


def test_page_names_purpose_text_code_and_uses(person: Person, pia: User, eve: User) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        clear(person.phone, purpose=LETTER)
    PurposeUse.objects.create(purpose="gone.purpose", day=PurposeUse.objects.get().day, count=7)
    where = reverse("admin:purposes")
    assert signed_in(eve).get(where).status_code == 403
    answer = signed_in(pia).get(where)
    lines = {line["name"]: line for line in answer.context["lines"]}
    mine = lines[LETTER]
    assert (str(mine["text"]), mine["module"], mine["uses"]) == (
        "Print a letter", __name__, 1,
    )  # fmt: skip
    assert (lines["gone.purpose"]["uses"], "Not registered any more" in text(answer)) == (7, True)
    assert leaks(text(answer)) == []


@pytest.mark.parametrize(
    "name", ["clear", "raw", "_raw", "unseal", "__getstate__", "__reduce__", "__dict__"]
)
def test_no_template_reaches_the_clear_value(person: Person, name: str) -> None:
    source = f"{{{{ person.phone.{name} }}}}"
    if name.startswith("_"):
        with pytest.raises(Exception, match="may not begin with underscores"):
            Template(source)
    else:
        assert Template(source).render(Context({"person": person})) == ""
