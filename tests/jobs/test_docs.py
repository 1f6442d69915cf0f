"""The examples of docs/jobs.md, run as they stand there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.jobs import registry, run
from backoffice.jobs.checks import check_schedule
from backoffice.jobs.models import Job
from backoffice.mail import registry as mails
from sellers.models import Product, Seller

GUIDE = Path(settings.BASE_DIR) / "docs" / "jobs.md"


@pytest.fixture
def examples() -> Iterator[list[dict[str, Any]]]:
    """Run the Python blocks of the guide, each with names of its own."""
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    spaces: list[dict[str, Any]] = []
    for block in blocks:
        space: dict[str, Any] = {}
        exec(compile(block, str(GUIDE), "exec"), space)  # noqa: S102 - our own text
        spaces.append(space)
    yield spaces
    registry._handlers.pop("sellers.retire")
    mails._templates.pop("sellers.retired")


@pytest.fixture
def shop(db: None) -> Seller:
    seller = Seller.objects.create(code="oak", name="Oak")
    for number in range(5):
        Product.objects.create(seller=seller, code=f"P{number}", name="Cup", price_minor=100)
    return seller


def test_job_of_the_guide_retires_every_product(
    examples: list[dict[str, Any]], shop: Seller, oli: User
) -> None:
    job = examples[0]["retire"](shop, actor=oli)
    run.execute(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result, job.done, job.total) == ("done", {"retired": 5}, 5, 5)
    assert set(Product.objects.values_list("status", flat=True)) == {Product.Status.RETIRED}
    texts = [line.text for line in job.log.all()]
    assert texts[1:-1] == ["2 products retired", "2 products retired", "1 products retired"]


def test_job_of_the_guide_goes_on_where_its_worker_died(
    examples: list[dict[str, Any]], shop: Seller, oli: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = examples[0]["retire"](shop, actor=oli)
    claimed = run.claim(job.pk, "dies")
    assert claimed is not None
    first = run.JobRun(claimed)
    monkeypatch.setattr(first, "progress", _die)
    with pytest.raises(KeyboardInterrupt):
        examples[0]["run_retire"](first)
    assert Job.objects.get().checkpoint["done"] == 2
    Job.objects.update(state="queued")
    run.execute(job.pk)
    assert Job.objects.get().result == {"retired": 5}
    changes = Product.history.filter(history_type="~")
    assert [change.history_user for change in changes] == [oli] * 5


def _die(*_args: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("shop")
def test_schedule_of_the_guide_passes_the_check(
    examples: list[dict[str, Any]], settings: Settings
) -> None:
    settings.BACKOFFICE_SCHEDULE = examples[1]["BACKOFFICE_SCHEDULE"]
    assert check_schedule() == []


def test_mail_of_the_guide_waits_in_the_outbox(
    examples: list[dict[str, Any]], max_: User, oli: User
) -> None:
    row = examples[2]["tell"](max_, 5, actor=oli)
    assert (row.subject, row.state) == ("5 products are retired", "queued")
