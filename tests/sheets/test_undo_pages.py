"""The pages of undoing an import: who gets there, what they say, what they show of rows."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.audit.services import save_with_history
from backoffice.jobs.run import execute
from backoffice.sheets.models import ImportJob, Undo
from customers.models import Customer
from tests.clients import signed_in
from tests.factories import make_order
from tests.people import allow, make_person
from tests.sheets.journal import change, finished, make, take_back

FORBIDDEN, NOT_FOUND = 403, 404


def page(job: ImportJob, name: str = "import_undo") -> str:
    return reverse(f"admin:{name}", kwargs={"number": job.public_id})


def an_import(oli: User) -> tuple[ImportJob, list[Customer]]:
    """Return an import that made two customers and changed three, and those three."""
    rows = [Customer(number=f"KUNDE-{n}", name="Anna Lind", country="France") for n in range(3)]
    kept = history.bulk_create(rows, actor=oli)
    job = finished(oli)
    made = make(job, [Customer(number=f"N{n}", name="Bea Holm") for n in range(2)])
    change(job, kept, country="Spain")
    kept[0].country = "Norway"
    save_with_history(kept[0], actor=oli)
    make_order(500, customer=made[0])
    return job, kept


@pytest.mark.django_db
def test_dialog_says_what_will_happen_and_starts_it_by_post_alone(oli: User) -> None:
    job, kept = an_import(oli)
    client = signed_in(oli)
    shown = client.get(page(job)).content.decode()
    assert "Up to 3 changed rows" in shown
    assert "up to 2 new rows are deleted" in shown
    assert "(1 now)" in shown
    assert not Undo.objects.exists()
    assert client.post(page(job), {"reason": ""}).status_code == 400
    client.post(page(job), {"reason": "Wrong list"})
    begun = Undo.objects.get()
    assert (begun.owner, begun.reason) == (oli, "Wrong list")

    running = client.get(page(job, "import_undone")).content.decode()
    assert page(job, "import_undo_progress") in running
    progress = client.get(page(job, "import_undo_progress"))
    assert progress.json()["finished"] is False
    assert "no-store" in progress["Cache-Control"]

    assert begun.job_id is not None
    execute(begun.job_id)
    assert client.get(page(job, "import_undo_progress")).json()["finished"] is True
    done = client.get(page(job, "import_undone")).content.decode()
    assert "Undone." in done
    assert "Edited since: 1" in done
    assert "Used by other rows: 1" in done
    assert reverse("admin:customers_customer_change", args=[kept[0].pk]) in done
    assert ">KUNDE-0<" in done
    assert "Anna" not in done


@pytest.mark.django_db
def test_rows_that_are_left_are_named_for_whom_they_exist(oli: User) -> None:
    job, kept = an_import(oli)
    take_back(job)
    link = reverse("admin:customers_customer_change", args=[kept[0].pk])
    address = page(job, "import_undone")
    looker = allow(make_person("lia"), "sheets.view_importjob")
    shown = signed_in(looker).get(address).content.decode()
    assert "a record that you may not see" in shown
    assert link not in shown
    assert "KUNDE-0" not in shown
    shown = signed_in(allow(looker, "customers.view_customer")).get(address).content.decode()
    assert link in shown
    assert ">KUNDE-0<" in shown
    assert "Lind" not in shown


@pytest.mark.django_db
def test_who_may_only_look_cannot_undo(oli: User, ada: User, kim: User) -> None:
    job, _kept = an_import(oli)
    viewer = signed_in(ada)
    assert viewer.get(page(job)).status_code == FORBIDDEN
    assert viewer.post(page(job), {"reason": "x"}).status_code == FORBIDDEN
    result = reverse("admin:import_result", kwargs={"number": job.public_id})
    assert page(job) not in viewer.get(result).content.decode()
    assert page(job) in signed_in(oli).get(result).content.decode()
    outsider = signed_in(make_person("gil"))
    for name in ("import_undo", "import_undone", "import_undo_progress"):
        assert outsider.get(page(job, name)).status_code == FORBIDDEN
    assert not Undo.objects.exists()
    owner: Client = signed_in(kim)
    owner.post(page(job), {"reason": "Not ours"})
    assert Undo.objects.get().owner == kim
    assert owner.post(page(job), {"reason": "again"}).status_code == FORBIDDEN


@pytest.mark.django_db
def test_there_is_no_page_of_an_undo_that_nobody_asked_for(oli: User) -> None:
    job = finished(oli)
    client = signed_in(oli)
    assert client.get(page(job, "import_undone")).status_code == NOT_FOUND
    assert client.get(page(job)).status_code == FORBIDDEN


@pytest.mark.django_db
def test_page_asks_the_database_the_same_for_many_rows(oli: User) -> None:
    counts = []
    for size in (2, 20):
        job = finished(oli)
        made = make(job, [Customer(number=f"Q{size}-{n}") for n in range(size)])
        for row in made:
            row.country = "Norway"
        history.bulk_update(made, ["country"], actor=oli)
        take_back(job)
        client = signed_in(oli)
        client.get(page(job, "import_undone"))
        with CaptureQueriesContext(connection) as caught:
            client.get(page(job, "import_undone"))
        counts.append(len(caught))
    assert counts[0] == counts[1]
