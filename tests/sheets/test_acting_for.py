"""Acting for somebody: imports and kept sheets are theirs alone to do, since a job writes them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from backoffice.accounts.models import User
from backoffice.audit.context import in_the_name_of_another
from backoffice.sheets import answers, approving, profiles, services, starting
from backoffice.sheets.kept import charting, joining, keeping, promoting
from backoffice.sheets.models import ImportJob, ImportProfile, KeptSheet, Undo
from backoffice.sheets.reading.dialects import Dialect
from backoffice.sheets.undoing import undo
from sellers.models import Product
from tests.accounts.test_acting import start as act_for
from tests.clients import signed_in
from tests.sellers import test_import as shops
from tests.sheets import made

pytestmark = pytest.mark.django_db


def cups() -> SimpleUploadedFile:
    return SimpleUploadedFile("cups.xlsx", made.book([made.line()]))


@pytest.fixture
def checked(oli: User) -> ImportJob:
    return made.check(services.take(cups(), oli))


@pytest.fixture
def another(eve: User) -> Iterator[None]:
    """Let the test run as on a page on which eve acts for somebody."""
    with in_the_name_of_another(eve.pk):
        yield


VERBS: dict[str, Callable[[ImportJob, User], object]] = {
    "take": lambda _job, user: services.take(cups(), user),
    "check": lambda job, user: services.check(job, actor=user),
    "start": lambda job, user: services.start(job, actor=user),
    "cancel": lambda job, user: services.cancel(job, actor=user),
    "mode": lambda job, user: starting.set_mode(job, "create", whole=True, actor=user),
    "ask": lambda job, user: approving.ask(job, actor=user, reason="New stock"),
    "choose": lambda job, user: answers.choose(job, ["A"], actor=user),
    "headers": lambda job, user: answers.say_headers(job, {"A": (1, 1)}, actor=user),
    "format": lambda job, user: answers.use_format(job, _form(job), actor=user),
    "columns": lambda job, user: answers.map_columns(job, _form(job), {}, actor=user),
    "no profile": lambda job, user: answers.use_profile(job, None, actor=user),
    "text": lambda job, user: answers.read_as(job, Dialect(), actor=user),
    "undo": lambda job, user: undo.begin(job, actor=user),
    "keep profile": lambda job, user: profiles.keep(job, "Cups", actor=user),
    "rename profile": lambda _job, user: profiles.rename(ImportProfile(), "Cups", actor=user),
    "delete profile": lambda _job, user: profiles.delete(ImportProfile(pk=1), actor=user),
    "keep": lambda job, user: keeping.keep(job, actor=user, name="A", sheet="A", header_row=1),
    "share": lambda _job, user: keeping.share(KeptSheet(owner=user), shared=True, actor=user),
    "mask": lambda _job, user: keeping.mask(KeptSheet(owner=user), "a", actor=user),
    "drop": lambda _job, user: keeping.drop(KeptSheet(owner=user), actor=user),
    "promote": lambda _job, user: promoting.promote(KeptSheet(owner=user), actor=user),
    "join": lambda _job, user: joining.save(
        actor=user, name="A", left=KeptSheet(), left_ref="a", right="", right_ref=""
    ),
    "chart": lambda _job, user: charting.save(
        KeptSheet(), _nothing(), actor=user, name="A", kind="bar", group="a", measure="count"
    ),
}


def _form(job: ImportJob) -> Any:
    return answers.form_of(job)


def _nothing() -> Any:
    return None


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_works_while_acting(
    verb: str, checked: ImportJob, oli: User, another: None
) -> None:
    with pytest.raises(PermissionDenied, match="act for somebody"):
        VERBS[verb](checked, oli)
    checked.refresh_from_db()
    assert (ImportJob.objects.get(), checked.state) == (checked, ImportJob.State.CHECKED)


def test_import_that_was_all_or_nothing_is_undone_by_itself(
    checked: ImportJob, oli: User, eve: User
) -> None:
    made.run(checked)
    with in_the_name_of_another(eve.pk):
        undo.begin(checked, actor=oli, by_itself=True)
    assert Undo.objects.get().by_itself


def test_whoever_acts_for_a_shop_sees_its_imports_and_does_nothing(
    client: Client, eve: User, sol: User
) -> None:
    job = made.check(shops.take(sol))
    assert act_for(client, eve, sol)["Location"] == "/seller/"
    page = client.get(reverse("seller:imports")).content.decode()
    assert ("products.xlsx" in page, 'type="file"' in page) == (True, False)
    assert 'type="file"' in signed_in(sol).get(reverse("seller:imports")).content.decode()
    file = SimpleUploadedFile("more.xlsx", made.book(shops.ROWS, head=shops.HEAD))
    assert client.post(reverse("seller:imports"), {"file": file}).status_code == 403
    for name in ("import_sheets", "import_mapping", "import_check", "import_failed"):
        assert client.post(shops.address(name, job), {"do": "start"}).status_code == 403, name
    job.refresh_from_db()
    assert (job.state, ImportJob.objects.count()) == (ImportJob.State.CHECKED, 1)
    assert not Product.objects.filter(seller=shops.shop(sol)).exists()
