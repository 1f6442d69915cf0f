"""How long the workbook takes to come in, and how much memory web and worker need.

    python tests/benchmarks/bench_sheets.py

Uploads `fixtures/online_retail_II.xlsx` (34,766 rows) as the import pages do, lets a real worker
process check and import it on a new SQLite database, with history rows, and compares with the
limits. The exit code is 1 when one is passed.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 60
MEGABYTES = 400
# On Linux ru_maxrss is in kilobytes.
PEAK_UNIT = 1024


def main() -> int:
    """Measure, print, and return the exit code."""
    folder = tempfile.mkdtemp(prefix="backoffice-bench-")
    os.environ["BACKOFFICE_VAR"] = folder
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.project.settings")
    os.environ.pop("DATABASE_URL", None)
    os.environ["BACKOFFICE_LOG_LEVEL"] = "WARNING"
    try:
        return measure()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure() -> int:
    """Import the workbook on the database of the environment."""
    sys.path.insert(0, str(ROOT))
    import django  # noqa: PLC0415 - after the environment is set

    django.setup()
    from django.contrib.auth.models import Group  # noqa: PLC0415
    from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415

    from backoffice.accounts.models import User  # noqa: PLC0415
    from backoffice.jobs.models import Job, Recurring  # noqa: PLC0415
    from backoffice.sheets import services  # noqa: PLC0415
    from orders.models import OrderLine  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    user = User.objects.create_user("bench", is_staff=True)
    user.groups.add(Group.objects.get(name="ops"))
    content = (ROOT / "fixtures" / "online_retail_II.xlsx").read_bytes()
    worker = subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=ROOT)
    try:
        wait_for(Recurring.objects.exists)
        spans = {}
        started = time.perf_counter()
        job = services.take(SimpleUploadedFile("workbook.xlsx", content), user)
        spans["upload"] = time.perf_counter() - started
        for name, verb in (("check", services.check), ("import", services.start)):
            started = time.perf_counter()
            work = verb(job, actor=user)
            wait_for(Job.objects.filter(pk=work.pk, finished_at__isnull=False).exists)
            spans[name] = time.perf_counter() - started
            job.refresh_from_db()
    finally:
        worker.terminate()
        worker.wait()
    if job.state != job.State.DONE or OrderLine.objects.count() != OrderLine.history.count():
        print("the import failed:", job.state, job.message)
        return 1
    return report(spans, job.summary["read"], job.created)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, at most five minutes."""
    end = time.monotonic() + 300
    while not condition():
        if time.monotonic() > end:
            sys.exit("waited in vain for the worker")
        time.sleep(0.1)


def report(spans: dict[str, float], rows: int, records: int) -> int:
    """Print the table and return 1 when a limit is passed."""
    total = sum(spans.values())
    peaks = {
        "web": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / PEAK_UNIT,
        "worker": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / PEAK_UNIT,
    }
    print(f"{rows:,} rows, {records:,} records with history, SQLite")
    for name, seconds in spans.items():
        print(f"  {name:<8}{seconds:7.1f} s")
    print(f"  {'together':<8}{total:7.1f} s   limit {SECONDS} s   {rows / total:,.0f} rows/s")
    for name, peak in peaks.items():
        print(f"  {name:<8}{peak:7.0f} MB  limit {MEGABYTES} MB")
    over = total > SECONDS or max(peaks.values()) > MEGABYTES
    print("over the limit" if over else "within the limits")
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
