"""The pages of jobs: whose jobs one sees, how far they are, stopping them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.jobs import registry
from backoffice.jobs.admin.views import JobView, workers
from backoffice.jobs.models import Job, JobLog, Worker
from tests.clients import signed_in

LIST = "/admin/jobs/"


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


def test_page_shows_the_log(eve: User) -> None:
    job = make(eve)
    JobLog.objects.create(job=job, attempt=1, text="Rows 1 to 500 written")
    page = signed_in(eve).get(f"{LIST}{job.public_id}/").content.decode()
    assert "Rows 1 to 500 written" in page


def test_rate_and_time_left_are_those_of_this_try(eve: User) -> None:
    """1,000 were done a day ago by a worker that died; this one did 2,000 in 100 s."""
    now = timezone.now()
    job = make(
        eve,
        started_at=now - timedelta(days=1),
        claimed_at=now - timedelta(seconds=100),
        done_when_claimed=1000,
        done=3000,
        total=4000,
    )
    answer = signed_in(eve).get(f"{LIST}{job.public_id}/status/").json()
    assert answer["rate"] == "20 a second"
    assert answer["left"] in {"50 s left", "51 s left"}


def test_try_that_begins_at_nought_again_has_a_rate(eve: User) -> None:
    began = timezone.now() - timedelta(seconds=1000)
    job = make(eve, started_at=began, claimed_at=began, done=5000, done_when_claimed=9000)
    assert JobView(job).rate == "5.0 a second"


def test_jobs_are_narrowed_by_kind_and_person(eve: User, oli: User, kinds: None) -> None:
    make(eve, kind="tests.other", title="Other work", state="done")
    make(oli, state="done")
    client = signed_in(oli)
    seen = {
        query: {name for name in ("Other work", "Work of oli") if name in content(client, query)}
        for query in ("", "kind=tests.other", f"person={oli.pk}", "person=schedule", "kind=none")
    }
    assert seen == {
        "": {"Other work", "Work of oli"},
        "kind=tests.other": {"Other work"},
        f"person={oli.pk}": {"Work of oli"},
        "person=schedule": set(),
        "kind=none": set(),
    }


def content(client: Client, query: str) -> str:
    return client.get(f"{LIST}?{query}").content.decode()


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._handlers, "tests.other", lambda _run: {})
    monkeypatch.setitem(registry._handlers, "tests.work", lambda _run: {})


def test_filter_by_person_is_not_for_who_sees_only_their_own(eve: User, ann: User) -> None:
    make(ann)
    page = signed_in(eve).get(f"{LIST}?person={ann.pk}").content.decode()
    assert "Work of ann" not in page
    assert 'name="person"' not in page


def test_owner_tries_again_by_post(eve: User, kinds: None) -> None:
    job = make(eve, state="failed", finished_at=timezone.now())
    url = f"{LIST}{job.public_id}/retry/"
    client = signed_in(eve)
    assert url in client.get(LIST).content.decode()
    client.get(url)
    assert Job.objects.get().state == "failed"
    assert client.post(url).status_code == 302
    assert Job.objects.get().state == "queued"
    assert client.post(url).status_code == 403


def test_auditor_sees_a_failed_job_and_may_not_try_it_again(
    eve: User, ada: User, kinds: None
) -> None:
    job = make(eve, state="failed", finished_at=timezone.now())
    client = signed_in(ada)
    assert "/retry/" not in client.get(LIST).content.decode()
    assert client.post(f"{LIST}{job.public_id}/retry/").status_code == 403
    assert Job.objects.get().state == "failed"


def test_ops_sees_which_workers_live(oli: User, eve: User) -> None:
    now, job = timezone.now(), make(eve)
    Worker.objects.create(name="app-1-12", host="app-1", job=job)
    Worker.objects.create(name="app-2-7", host="app-2", seen_at=now - timedelta(minutes=9))
    Worker.objects.create(name="app-2-9", host="app-2", stopped_at=now)
    page = signed_in(oli).get(LIST).content.decode()
    for word in ("app-1-12", "Busy", "Gone", "Stopped"):
        assert word in page
    assert "app-1-12" not in signed_in(eve).get(LIST).content.decode()
    assert [view.badge.text for view in workers()] == ["Busy", "Gone", "Stopped"]
