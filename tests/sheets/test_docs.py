"""The examples of docs/formats.md, run as they stand there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from backoffice.accounts.models import User
from backoffice.sheets import formats
from sellers.models import Seller
from tests.people import allow
from tests.sheets.made import book, bring_in, check, run, said, upload

pytestmark = pytest.mark.django_db
GUIDE = Path(settings.BASE_DIR) / "docs" / "formats.md"


@pytest.fixture
def _example() -> Iterator[None]:
    code = next(one for one in _blocks() if "guide-sellers" in one)
    exec(compile(code, str(GUIDE), "exec"), {"__name__": "sellers.sheets"})  # noqa: S102 - our own text
    yield
    formats._formats.pop("guide-sellers")


@pytest.mark.usefixtures("_example")
def test_format_of_the_guide_works(oli: User) -> None:
    head = ["Code", "Name"]
    job = bring_in(book([["oak", "Oak"], ["elm", None], ["fir", "Fir"]], head=head), oli)
    assert said(job) == [("empty", "A", 3, "name")]
    assert sorted(Seller.objects.values_list("code", "name")) == [("fir", "Fir"), ("oak", "Oak")]
    assert [one["system"] for one in job.sums] == [2]
    again = bring_in(book([["oak", "Oak & Sons"], ["fir", "Fir"]], head=head), oli)
    assert again.counters["sellers"] == {"created": 0, "updated": 1, "unchanged": 1, "failed": 0}
    assert Seller.objects.get(code="oak").name == "Oak & Sons"
    assert Seller.history.count() == 3


@pytest.fixture
def _plain_example() -> Iterator[None]:
    code = next(one for one in _blocks() if "SellerList" in one)
    exec(compile(code, str(GUIDE), "exec"), {"__name__": "sellers.sheets"})  # noqa: S102 - our own text
    yield
    formats._formats.pop("seller-list")


def _blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)


@pytest.mark.usefixtures("_plain_example")
def test_plain_format_of_the_guide_works(oli: User) -> None:
    for permission in ("sellers.add_seller", "sellers.change_seller"):
        oli = allow(oli, permission)
    job = upload(book([["oak", "Oak"], ["elm", "Elm"]], head=["Händlernummer", "Name"]), oli)
    assert job.format == "seller-list"
    run(check(job))
    assert sorted(Seller.objects.values_list("code", "name")) == [("elm", "Elm"), ("oak", "Oak")]
    assert Seller.history.count() == 2
