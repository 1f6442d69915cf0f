"""The pages of jobs: whose jobs one sees, how far they are, stopping them."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.jobs.models import Job

LIST = "/admin/jobs/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def make(owner: User, **values: object) -> Job:
    given = {"kind": "tests.work", "title": f"Work of {owner.username}", "state": "running"}
    return Job.objects.create(owner=owner, **{**given, "done": 1204, "total": 1942, **values})


def test_everybody_sees_their_own_jobs_only(eve: User, ann: User) -> None:
    make(eve)
    make(ann)
    page = signed_in(eve).get(LIST).content.decode()
    assert "Work of eve" in page
    assert "Work of ann" not in page


def test_who_may_view_jobs_sees_all(eve: User, oli: User) -> None:
    make(eve)
    assert "Work of eve" in signed_in(oli).get(LIST).content.decode()


@pytest.mark.parametrize("view", ["", "status/", "cancel/"])
def test_somebody_elses_job_is_not_there(view: str, eve: User, ann: User) -> None:
    job = make(ann)
    assert signed_in(eve).get(f"{LIST}{job.public_id}/{view}").status_code == 404


def test_status_tells_how_far(eve: User) -> None:
    job = make(eve, message="Orders")
    answer = signed_in(eve).get(f"{LIST}{job.public_id}/status/").json()
    assert (answer["percent"], answer["progress"]) == (61, "1,204 of 1,942")
    assert (answer["state"], answer["message"], answer["finished"]) == ("running", "Orders", False)


def test_status_of_unknown_size_has_no_percent(eve: User) -> None:
    job = make(eve, total=0, done=0)
    answer = signed_in(eve).get(f"{LIST}{job.public_id}/status/").json()
    assert (answer["percent"], answer["progress"]) == (None, "")


def test_page_shows_result_and_stops_asking_when_over(eve: User) -> None:
    job = make(eve, state="done", finished_at=timezone.now(), result={"rows_created": 34})
    page = signed_in(eve).get(f"{LIST}{job.public_id}/").content.decode()
    assert "Rows created" in page
    assert "data-job=" not in page


def test_owner_stops_a_job(eve: User) -> None:
    job = make(eve)
    answer = signed_in(eve).post(f"{LIST}{job.public_id}/cancel/")
    assert answer["Location"] == f"{LIST}{job.public_id}/"
    assert Job.objects.get(pk=job.pk).cancel_requested


def test_get_stops_nothing(eve: User) -> None:
    job = make(eve)
    signed_in(eve).get(f"{LIST}{job.public_id}/cancel/")
    assert not Job.objects.get(pk=job.pk).cancel_requested


def test_auditor_sees_a_job_and_may_not_stop_it(eve: User, ada: User) -> None:
    job = make(eve)
    client = signed_in(ada)
    assert client.get(f"{LIST}{job.public_id}/").status_code == 200
    assert client.post(f"{LIST}{job.public_id}/cancel/").status_code == 403
    assert not Job.objects.get(pk=job.pk).cancel_requested


def test_job_that_is_over_cannot_be_stopped(eve: User) -> None:
    job = make(eve, state="done", finished_at=timezone.now())
    assert signed_in(eve).post(f"{LIST}{job.public_id}/cancel/").status_code == 403


def test_running_job_stands_in_the_top_bar_of_its_owner(eve: User, oli: User) -> None:
    make(eve)
    chip = "bo-job-chip"
    assert chip in signed_in(eve).get("/admin/customers/customer/").content.decode()
    assert chip not in signed_in(oli).get("/admin/customers/customer/").content.decode()


def test_three_jobs_ask_as_much_as_one(oli: User, eve: User) -> None:
    client = signed_in(oli)
    make(eve)
    with CaptureQueriesContext(connection) as one:
        client.get(LIST)
    make(eve)
    make(oli, state="done")
    with CaptureQueriesContext(connection) as three:
        client.get(LIST)
    assert len(three) == len(one)
