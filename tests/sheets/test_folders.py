"""Watched folders: files come in by themselves, once, and nothing there is touched."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.mail.models import Mail
from backoffice.sheets import checks, folders, services
from backoffice.sheets.errors import ReadError
from backoffice.sheets.models import DroppedFile, ImportJob, ImportProfile
from orders.models import Order, OrderLine
from tests.clients import signed_in
from tests.people import make_person
from tests.sheets import retail_rules, suppliers
from tests.sheets.made import book, line
from tests.sheets.shared_data import shared
from tests.sheets.test_imports_api import HEAD

State = DroppedFile.State
pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path, oli: User, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a watched folder; what lies there at a second look is finished."""
    suppliers.keep_profiles(oli)
    place = tmp_path / "drops"
    place.mkdir()
    one = {"path": str(place), "profile": "Online Retail", "actor": oli.username}
    settings.BACKOFFICE_SHEET_FOLDERS = {"retail": one}
    monkeypatch.setattr(folders, "SETTLED", timedelta(0))
    return place


def work() -> None:
    """Let worker and clock do what there is to do."""
    for _turn in range(6):
        folders.look()
        for job in Job.objects.filter(state=Job.State.QUEUED).order_by("pk"):
            execute(job.pk)


def drop(folder: Path, name: str, *lines: list[Any]) -> Path:
    path = folder / name
    path.write_bytes(book(list(lines), head=HEAD))
    return path


def states() -> dict[str, str]:
    return dict(DroppedFile.objects.values_list("name", "state"))


def test_file_comes_in_by_itself_and_once(folder: Path, oli: User) -> None:
    path = drop(folder, "monday.xlsx", line(), line(600002))
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    work()
    assert states() == {"monday.xlsx": State.STARTED}
    job = ImportJob.objects.get()
    assert (job.state, job.origin, job.owner) == ("done", ImportJob.Origin.FOLDER, oli)
    assert job.profile is not None
    assert Order.objects.count() == 2
    path.rename(folder / "monday again.xlsx")
    os.utime(folder / "monday again.xlsx", ns=(1, 1))
    work()
    assert states()["monday again.xlsx"] == State.REPEATED
    assert ImportJob.objects.count() == 1
    assert (folder / "monday again.xlsx").read_bytes() == before[0]
    assert [one.name for one in folder.iterdir()] == ["monday again.xlsx"]
    assert not Mail.objects.exists()


def test_file_is_taken_when_it_stays_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "SETTLED", timedelta(seconds=20))
    path = drop(folder, "slow.xlsx", line())
    work()
    assert states() == {"slow.xlsx": State.SEEN}
    drop(folder, "slow.xlsx", line(), line(600002))
    os.utime(path, ns=(2, 2))
    old = DroppedFile.objects.get()
    DroppedFile.objects.update(seen_at=old.seen_at - timedelta(seconds=30))
    work()
    fresh = DroppedFile.objects.get()
    assert (fresh.state, fresh.size) == (State.SEEN, path.stat().st_size)
    assert fresh.pk != old.pk
    DroppedFile.objects.update(seen_at=fresh.seen_at - timedelta(seconds=30))
    work()
    assert states() == {"slow.xlsx": State.STARTED}
    assert Order.objects.count() == 2


def test_links_folders_and_unfinished_files_do_not_count(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.xlsx"
    outside.write_bytes(book([line()], head=HEAD))
    (folder / "link.xlsx").symlink_to(outside)
    (folder / "below").mkdir()
    drop(folder / "below", "deep.xlsx", line())
    os.mkfifo(folder / "pipe.xlsx")
    for name in (".hidden.xlsx", "~lock.xlsx", "half.xlsx.part", "half.TMP"):
        drop(folder, name, line())
    work()
    assert states() == {}


def test_file_that_became_a_link_or_another_one_is_not_read(folder: Path, tmp_path: Path) -> None:
    path = drop(folder, "x.xlsx", line())
    facts = path.stat()
    row = DroppedFile(name="x.xlsx", size=facts.st_size, modified_ns=facts.st_mtime_ns)
    with folders.opened(folder, row) as file:
        assert file.read() == path.read_bytes()
    outside = tmp_path / "secret.xlsx"
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(ReadError), folders.opened(folder, row):
        pass
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ReadError), folders.opened(folder, row):
        pass


def test_file_that_cannot_be_read_stays_and_its_person_is_told(folder: Path, oli: User) -> None:
    (folder / "broken.xlsx").write_bytes(b"\x7fELF, no workbook")
    work()
    assert states() == {"broken.xlsx": State.REFUSED}
    assert (folder / "broken.xlsx").exists()
    assert DroppedFile.objects.get().message
    mail = Mail.objects.get()
    assert (mail.to_user, "broken" in str(mail.context)) == (oli, False)
    assert not ImportJob.objects.exists()
    work()
    assert Mail.objects.count() == 1


def test_rows_that_fail_wait_for_somebody_where_it_is_all_or_nothing(folder: Path) -> None:
    ImportProfile.objects.filter(name="Online Retail").update(whole=True)
    drop(folder, "bad.xlsx", line(), line(code=""))
    work()
    assert states() == {"bad.xlsx": State.WAITING}
    assert ImportJob.objects.get().state == ImportJob.State.CHECKED
    assert not Order.objects.exists()
    assert Mail.objects.count() == 1


def test_good_rows_come_in_and_the_others_are_told(folder: Path) -> None:
    drop(folder, "some.xlsx", line(), line(code=""))
    work()
    row = DroppedFile.objects.get()
    assert (row.state, row.message) == (State.STARTED, "1 row failed.")
    assert OrderLine.objects.count() == 1
    assert Mail.objects.count() == 1


def test_actor_needs_the_rights_of_the_pages(folder: Path, settings: Settings) -> None:
    drop(folder, "x.xlsx", line())
    settings.BACKOFFICE_SHEET_FOLDERS["retail"]["actor"] = "nobody"
    work()
    assert states() == {"x.xlsx": State.SEEN}
    assert "nobody" in DroppedFile.objects.get().message
    make_person("nobody", "auditor")
    work()
    assert states() == {"x.xlsx": State.REFUSED}
    assert not ImportJob.objects.exists()


def test_worker_killed_between_taking_and_noting_takes_it_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(folder, "x.xlsx", line())
    folders.look()
    folders.look()
    work_of = Job.objects.get(state=Job.State.QUEUED)
    take = services.take

    def killed(*args: Any, **kwargs: Any) -> None:
        take(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(services, "take", killed)
    with pytest.raises(KeyboardInterrupt):
        execute(work_of.pk)
    assert states() == {"x.xlsx": State.TAKING}
    monkeypatch.setattr(services, "take", take)
    Job.objects.filter(pk=work_of.pk).update(state=Job.State.QUEUED)
    work()
    assert states() == {"x.xlsx": State.STARTED}
    assert ImportJob.objects.count() == Order.objects.count() == 1


def test_days_that_are_dropped_again_double_nothing(folder: Path) -> None:
    days = [
        shared(f"main/online_retail/{name}.csv")
        for name in ("2010-12-01", "2011-11-17", "2011-12-09")
    ]
    for number, day in enumerate([*days, *days]):
        (folder / f"drop {number}.csv").write_bytes(day.read_bytes())
        os.utime(folder / f"drop {number}.csv", ns=(number, number))
        work()
    wanted = retail_rules.expected(days)
    assert sorted(states().values()) == [State.REPEATED] * 3 + [State.STARTED] * 3
    assert set(Order.objects.values_list("number", flat=True)) == wanted.orders
    assert OrderLine.objects.count() == wanted.order_lines


@pytest.mark.parametrize(
    "wrong",
    [
        {"x": {"path": "/no/such/folder", "profile": "P", "actor": "a"}},
        {"x": {"path": "relative", "profile": "P", "actor": "a"}},
        {"x": {"path": "/", "profile": "P"}},
        {"x": {"path": "/", "profile": "", "actor": "a"}},
        {"x": "/"},
        ["/"],
    ],
)
def test_setting_that_means_nothing_is_found_at_start(settings: Settings, wrong: Any) -> None:
    settings.BACKOFFICE_SHEET_FOLDERS = wrong
    assert [found.id for found in checks.check_folders()] == ["sheets.E001"]
    settings.BACKOFFICE_SHEET_FOLDERS = {"x": {"path": "/", "profile": "P", "actor": "a"}}
    assert checks.check_folders() == []


def test_page_lists_what_came(folder: Path, ada: User) -> None:
    drop(folder, "monday.xlsx", line())
    work()
    shown = signed_in(ada).get(reverse("admin:import_drops")).content.decode()
    assert "monday.xlsx" in shown
    assert "Started by itself" in shown
    assert reverse("admin:import", args=[ImportJob.objects.get().public_id]) in shown
    assert str(folder) not in shown
    stranger: Client = signed_in(make_person("gil"))
    assert stranger.get(reverse("admin:import_drops")).status_code == 403


def test_names_of_files_that_left_are_forgotten_and_nothing_comes_in_again(folder: Path) -> None:
    stays, goes = drop(folder, "stays.xlsx", line()), drop(folder, "anna.xlsx", line(600002))
    work()
    goes.unlink()
    assert folders.forget() == 0
    old = timezone.now() - folders.KEPT - timedelta(days=1)
    DroppedFile.objects.update(seen_at=old)
    assert folders.forget() == 1
    assert states() == {"stays.xlsx": State.STARTED}
    work()
    assert ImportJob.objects.count() == 2
    stays.unlink()
    folder.rmdir()  # not mounted: nobody knows what lies there
    assert folders.forget() == 0
