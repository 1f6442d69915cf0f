"""All 541,909 rows of Online Retail through the pages of imports, on SQLite or PostgreSQL.

    python tests/soak/soak_sheets.py [--files csv,xlsx,olist] [--databases sqlite,postgres]

Uploads the file through the pages in this process and lets a real worker check and import it, by a
saved profile. Prints seconds, rows a second and the memory of every process, and compares counts
and sums with an independent count. Of either kind of file a quarter is imported first, on a
database of its own: four times the rows may take at most five times as long. The six files of Olist
follow one another on one database. Exit code 1 where something is not so.
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ROWS, INVOICES, MONEY = 541_909, 25_900, "9747747.93"
QUARTER = 135_000
QUARTERS = {"quarter": "csv", "quarter-xlsx": "xlsx"}
FILES = "quarter,csv,quarter-xlsx,xlsx,olist"
PROFILE = "Online Retail"
MEGABYTES = 600
LINEAR = 5 / 4
"""A row of the whole may take so much longer than one of the quarter."""
MINUTES = 60
PACE = "SOAK_SHEETS_PACE"
"""The variable that names the folder in which the seconds a row of the quarters stand."""
_PEAK_UNIT = 1024  # on Linux ru_maxrss is in kilobytes


def main() -> int:
    """Run each file on each database, each in a process and on a database of its own."""
    sys.path.insert(0, str(ROOT))
    from tests.soak.databases import run_on  # noqa: PLC0415 - after the path is set

    parser = argparse.ArgumentParser()
    parser.add_argument("--files", default=FILES)
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--here", metavar="FILE")
    options, _rest = parser.parse_known_args()
    if options.here:
        return import_here(options.here)
    failed = 0
    for database in options.databases.split(","):
        with tempfile.TemporaryDirectory() as folder:
            os.environ[PACE] = folder
            for file in options.files.split(","):
                print(f"\n{file} on {database}", flush=True)
                failed |= run_on(database, __file__, (file,), "backoffice.project.settings")
    return failed


def import_here(file: str) -> int:
    """Import one file on the database of the environment; return the exit code."""
    os.environ["BACKOFFICE_LOG_LEVEL"] = "WARNING"
    import django  # noqa: PLC0415 - after the environment is set

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.test.utils import setup_test_environment  # noqa: PLC0415

    setup_test_environment()
    call_command("migrate", verbosity=0)
    if file == "olist":
        return import_olist()
    folder = Path(os.environ["BACKOFFICE_VAR"])
    source = rows_file(folder, QUARTER if file in QUARTERS else None)
    kind = QUARTERS.get(file, file)
    path = source
    if kind == "xlsx":
        path = workbook(source) if file in QUARTERS else shared("online_retail_full.xlsx")
    with worker():
        spans, job = journey(enter(), path, PROFILE)
    return report(spans, job, source, kind)


@contextmanager
def worker() -> Iterator[None]:
    """Run a worker meanwhile."""
    process = subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=ROOT)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def import_olist() -> int:
    """Import the six files of Olist; return 1 where the database holds anything else."""
    from tests.sheets import olist  # noqa: PLC0415 - needs the path

    folder = shared("", olist.PLACE)
    started = time.perf_counter()
    with worker():
        client = enter()
        for name, profile in olist.PROFILES.items():
            spans, job = journey(client, folder / name, profile)
            print(f"  {name:<36}{job.summary['read']:>7,} rows {sum(spans.values()):7.1f} s")
    found = olist.differences(olist.expected(folder))
    for text in found:
        print(f"  WRONG: {text}")
    seconds = time.perf_counter() - started
    print(f"  {'not as wanted' if found else 'as wanted'}, {seconds:.0f} s", flush=True)
    return int(bool(found))


def shared(name: str, folder: str = "main/online_retail") -> Path:
    """Return a file of the shared data; ends the run where there is none."""
    from tests.sheets import shared_data  # noqa: PLC0415 - needs the path

    found = shared_data.folder()
    path = found and found / folder / name
    if not path or not path.exists():
        sys.exit(f"needs {folder}/{name} in the folder of shared data")
    return path


def workbook(source: Path) -> Path:
    """Write the rows as a workbook, in the kinds of cells that the published one has."""
    from openpyxl import Workbook  # noqa: PLC0415 - only where it is needed

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Online Retail")
    with source.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        sheet.append(next(lines))
        for row in lines:
            sheet.append(_cells(row))
    target = source.with_suffix(".xlsx")
    book.save(target)
    return target


def _cells(row: list[str]) -> list[Any]:
    invoice, code, text, quantity, at, price, customer, country = row
    keys = [int(one) if one.isdecimal() else one for one in (invoice, code)]
    person = int(float(customer)) if customer else None
    moment = datetime.fromisoformat(at)
    return [*keys, text or None, int(quantity), moment, float(price), person, country]


def rows_file(folder: Path, limit: int | None) -> Path:
    """Unpack the csv, or its first rows; return where it is."""
    target = folder / "online_retail.csv"
    with zipfile.ZipFile(shared("online_retail_full.csv.zip")) as archive:
        (name,) = archive.namelist()
        with archive.open(name) as source, target.open("wb") as file:
            for number, line in enumerate(source):
                if limit is not None and number > limit:
                    break
                file.write(line)
    return target


def enter() -> Any:
    """Return the client of somebody of operations who has the profiles; a worker is at work."""
    from django.contrib.auth.models import Group  # noqa: PLC0415

    from backoffice.accounts.models import User  # noqa: PLC0415
    from backoffice.jobs.models import Recurring  # noqa: PLC0415
    from tests.clients import signed_in  # noqa: PLC0415
    from tests.sheets import suppliers  # noqa: PLC0415

    user = User.objects.create_user("soak", is_staff=True)
    user.groups.add(Group.objects.get(name="ops"))
    client = signed_in(suppliers.keep_profiles(user))
    wait_for(Recurring.objects.exists)
    return client


def journey(client: Any, path: Path, profile: str) -> tuple[dict[str, float], Any]:
    """Bring the file in through the pages by its profile; return seconds by step, and the import.

    Ends the run where another profile, or none, reads the file.
    """
    from django.urls import reverse  # noqa: PLC0415

    from backoffice.sheets.models import ImportJob  # noqa: PLC0415
    from tests.sheets import suppliers  # noqa: PLC0415

    spans: dict[str, float] = {}
    started = time.perf_counter()
    with path.open("rb") as file:
        answer = client.post(reverse("admin:imports"), {"file": file})
    if answer.status_code != 302:
        sys.exit(f"refused: {answer.context['upload_form'].errors}")
    job = ImportJob.objects.latest("pk")
    if job.profile is None or job.profile.name != profile:
        sys.exit(f"{path.name} is read by {job.profile}, not by {profile}")
    spans["upload"] = time.perf_counter() - started
    if job.state == ImportJob.State.UPLOADED:
        client.post(suppliers.page("import_mapping", job), suppliers.as_shown(client, job))
    spans["check"] = until(job, ImportJob.State.CHECKED)
    client.post(suppliers.page("import_check", job))
    spans["import"] = until(job, ImportJob.State.DONE)
    return spans, job


def until(job: Any, state: str) -> float:
    """Wait until the import is in the state; return the seconds. Ends the run when it fails."""
    started = time.perf_counter()

    def over() -> bool:
        job.refresh_from_db()
        return job.state in {state, "failed", "cancelled"}

    wait_for(over)
    if job.state != state:
        sys.exit(f"the import is {job.state}: {job.message}")
    return time.perf_counter() - started


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, at most an hour."""
    end = time.monotonic() + MINUTES * 60
    while not condition():
        if time.monotonic() > end:
            sys.exit("waited in vain for the worker")
        time.sleep(0.5)


def report(spans: dict[str, float], job: Any, source: Path, kind: str) -> int:
    """Print what was measured; return 1 where counts, sums, memory or time are not as wanted."""
    from tests.sheets import retail_rules  # noqa: PLC0415

    wanted = retail_rules.expected([source])
    wrong = differences(wanted)
    if wanted.rows == ROWS:
        whole = (len(wanted.invoices), f"{wanted.source_money:.2f}")
        wrong += [] if whole == (INVOICES, MONEY) else [f"the file is another: {whole}"]
    total = sum(spans.values())
    print(f"  {wanted.rows:,} rows, {job.created:,} records, each with its history")
    for name, seconds in spans.items():
        print(f"  {name:<8}{seconds:8.1f} s")
    print(f"  {'together':<8}{total:8.1f} s   {wanted.rows / total:,.0f} rows/s")
    peaks = {
        "web": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _PEAK_UNIT,
        "worker and its children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        / _PEAK_UNIT,
    }
    for name, peak in peaks.items():
        print(f"  {name}: {peak:.0f} MB at most, limit {MEGABYTES} MB")
        wrong += [f"{name} took {peak:.0f} MB"] if peak > MEGABYTES else []
    wrong += linearity(kind, wanted.rows, total)
    for text in wrong:
        print(f"  WRONG: {text}")
    print("  as wanted" if not wrong else "  not as wanted", flush=True)
    return int(bool(wrong))


def linearity(kind: str, rows: int, seconds: float) -> list[str]:
    """Keep the seconds a row of the quarter; compare those of the whole of its kind with it."""
    place = Path(os.environ[PACE]) / kind
    pace = seconds / rows
    if rows <= QUARTER:
        place.write_text(f"{pace}")
        return []
    if not place.exists():
        return []
    ratio = pace / float(place.read_text())
    print(f"  a row takes {ratio:.2f} times as long as one of the quarter, limit {LINEAR:.2f}")
    return [f"a row takes {ratio:.2f} times as long"] if ratio > LINEAR else []


def differences(wanted: Any) -> list[str]:
    """Return what the database holds otherwise than an independent count."""
    from django.db.models import Sum  # noqa: PLC0415

    from customers.models import Customer  # noqa: PLC0415
    from orders.models import Charge, Order, OrderLine, Return, ReturnLine  # noqa: PLC0415
    from sellers.models import Product  # noqa: PLC0415

    pairs = (
        (Order, len(wanted.orders)), (Return, len(wanted.returns)),
        (Customer, len(wanted.customers)), (Product, len(wanted.products)),
        (OrderLine, wanted.order_lines), (ReturnLine, wanted.return_lines),
        (Charge, wanted.charges),
    )  # fmt: skip
    found = []
    for model, count in pairs:
        rows, history = model._default_manager.count(), model.history.count()
        print(f"  {model.__name__:<11}{rows:>9,}   wanted {count:>9,}   history {history:>9,}")
        found += [f"{model.__name__}: {rows}"] if rows != count or history < rows else []
    for model, money in ((Order, wanted.order_money), (Return, wanted.return_money)):
        minor = model._default_manager.aggregate(sum=Sum("total_minor"))["sum"] or 0
        print(f"  {model.__name__}s: {minor / 100:,.2f}   wanted {money:,.2f}")
        found += [f"money of {model.__name__}: {minor}"] if minor != money * 100 else []
    return found


if __name__ == "__main__":
    sys.exit(main())
