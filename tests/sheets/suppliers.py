"""Real files of suppliers through the pages of imports, each read by its saved profile."""

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from backoffice.accounts.models import User
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.sheets import shared_profiles
from backoffice.sheets.models import ImportJob
from tests.people import allow

PROFILES = Path(settings.BASE_DIR) / "fixtures" / "profiles.json"


def keep_profiles(user: User) -> User:
    """Keep the profiles of the repository in the name of the person; return them, loaded anew."""
    for permission in ("sheets.add_importprofile", "sheets.change_importprofile"):
        user = allow(user, permission)
    assert shared_profiles.load(PROFILES, actor=user) > 10
    return user


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a csv file by header, with nothing of ours."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def amount(text: str) -> Decimal:
    return Decimal(text)


def import_by_pages(client: Client, path: Path, profile: str) -> ImportJob:
    """Upload a file, see that its profile reads it, check, and import: as a person does."""
    job = upload(client, path)
    assert job.profile is not None, (path.name, job.notes)
    assert job.profile.name == profile
    return finish(client, job)


def upload(client: Client, path: Path) -> ImportJob:
    """Upload a file on the page of imports."""
    file = SimpleUploadedFile(path.name, path.read_bytes())
    answer = client.post(reverse("admin:imports"), {"file": file})
    assert answer.status_code == 302, answer.context["upload_form"].errors
    return ImportJob.objects.latest("pk")


def finish(client: Client, job: ImportJob) -> ImportJob:
    """Take an upload through the check, the mapping as it is shown and the check again, and run.

    What a profile reads for sure goes to the check at once; its mapping can be changed there.
    """
    if job.state == ImportJob.State.CHECKING:
        _work(job)
    answer = client.post(page("import_mapping", job), as_shown(client, job))
    assert answer.status_code == 302, answer.context.get("error")
    _work(job)
    assert job.state == ImportJob.State.CHECKED, (job.state, job.message)
    answer = client.post(page("import_check", job))
    assert answer.status_code == 302, answer.content.decode()[:2000]
    _work(job)
    assert job.state == ImportJob.State.DONE, (job.state, job.message)
    assert client.get(page("import_result", job)).status_code == 200
    return job


def page(name: str, job: ImportJob) -> str:
    return reverse(f"admin:{name}", kwargs={"number": job.public_id})


def as_shown(client: Client, job: ImportJob) -> dict[str, Any]:
    """Return what the form of the mapping posts when nobody changes anything."""
    shown = client.get(page("import_mapping", job))
    data: dict[str, Any] = {"do": "check", "format": job.format, "twice": "1"}
    for group in shown.context["groups"]:
        for one in group["columns"]:
            data |= _fields(one)
    return data


def _fields(one: dict[str, Any]) -> dict[str, Any]:
    data = {one["field"]: one["place"], one["constant_field"]: one["constant"]}
    for step in one["steps"]:
        for field, value in (
            ("field", "name"),
            ("first_field", "first"),
            ("second_field", "second"),
        ):
            data[step[field]] = step[value]
    return data


def _work(job: ImportJob) -> None:
    job.refresh_from_db()
    for work in Job.objects.filter(finished_at=None, state=Job.State.QUEUED).order_by("pk"):
        execute(work.pk)
    job.refresh_from_db()
