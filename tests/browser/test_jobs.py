"""Journeys of operations: watching jobs, stopping and retrying them, and mails that got lost."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from backoffice.jobs import registry
from backoffice.jobs.models import Job, JobLog, Worker
from backoffice.mail.models import Mail
from tests.browser.stage import Stage
from tests.walker.world import World

pytestmark = pytest.mark.browser


@pytest.fixture
def jobs(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, Job]:
    """Let a job run, one wait, one have failed and one be done; two workers, one of them gone."""
    monkeypatch.setitem(registry._handlers, "orders.rollup", lambda _run: {})
    now, oli, eve = timezone.now(), world.people["oli"], world.people["eve"]
    began = now - timedelta(seconds=90)
    running = Job.objects.create(
        kind="orders.rollup", title="Rebuild sales by day", state="running", owner=oli, done=1204,
        total=1942, attempt=1, started_at=began, claimed_at=began, message="Days",
    )  # fmt: skip
    failed = Job.objects.create(
        kind="orders.rollup", title="Sales of May", state="failed", owner=eve, done=4, total=10,
        attempt=2, started_at=began, finished_at=now, message="The order system is down.",
    )  # fmt: skip
    Job.objects.create(kind="orders.rollup", title="Sales of June", owner=None)
    JobLog.objects.create(job=failed, attempt=2, text="Day 4 is written")
    Worker.objects.create(name="app-1-4711-ab12", host="app-1", job=running)
    Worker.objects.create(name="app-2-815-cd34", host="app-2", seen_at=now - timedelta(minutes=9))
    return {"running": running, "failed": failed}


def test_ops_watches_stops_and_retries(stage: Stage, world: World, jobs: dict[str, Job]) -> None:
    oli = stage.enter(world.people["oli"])
    oli.go("Jobs")
    for text in ("1,204 of 1,942", "The order system is down.", "app-1-4711-ab12", "Gone"):
        oli.sees(text)
    oli.look("jobs")
    expect(oli.page.locator(".bo-job-chip")).to_contain_text("Rebuild sales by day")
    Job.objects.filter(pk=jobs["running"].pk).update(done=1900)
    oli.sees("1,900 of 1,942")
    oli.click("Cancel Rebuild sales by day")
    oli.dialog().get_by_role("button", name="Stop the job").click()
    oli.sees("The job is asked to stop.")
    oli.open(f"/admin/jobs/{jobs['failed'].public_id}/")
    oli.sees("Day 4 is written")
    oli.look("job")
    oli.click("Try again")
    oli.look("job-retry")
    oli.dialog().get_by_role("button", name="Try again").click()
    oli.sees("The job waits for a worker.")
    assert Job.objects.get(pk=jobs["running"].pk).cancel_requested
    assert Job.objects.get(pk=jobs["failed"].pk).state == "queued"


def test_ops_sends_a_lost_mail_again(stage: Stage, world: World) -> None:
    oli = stage.enter(world.people["oli"])
    oli.go("Mail")
    oli.sees("A lost mail")
    oli.look("mails")
    oli.click("A lost mail")
    oli.look("mail")
    oli.click("Send again")
    oli.dialog().get_by_label("Why?").fill("She says that nothing came.")
    oli.look("mail-resend")
    oli.dialog().get_by_role("button", name="Send again").click()
    oli.sees("The mail waits to be sent again.")
    assert Mail.objects.get(template="walk").state == "queued"
