"""How fast 100,000 rows of a workbook come in, beside what others need for the same rows.

    python tests/benchmarks/sheets_speed.py [rows]

On the database of the environment (DATABASE_URL, else a new SQLite file), one after the other:

* ours: from the confirmed upload to the last row and history row, check and journal included;
* stock: django-import-export's Resource with history, as its `import_data` writes row by row;
* tuned: the same with use_bulk, skip_diff and CachedInstanceLoader, which writes no history;
* bare: calamine read in this process and one bulk write, no checks, no history.

Stock and tuned run over fewer rows and are scaled, since they grow with the rows. The exit code is
1 when a ratio is not held.
"""

import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = 100_000
STOCK_ROWS, TUNED_ROWS = 2_000, 20_000
TIMES = int(os.environ.get("TIMES", "3"))
STOCK, TUNED, BARE = 40, 8, 2.5
MEGABYTES = 600
# On Linux ru_maxrss is in kilobytes.
PEAK_UNIT = 1024


def main() -> int:
    """Measure, print, and return the exit code."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    folder = tempfile.mkdtemp(prefix="backoffice-bench-")
    os.environ["BACKOFFICE_VAR"] = folder
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.project.settings")
    os.environ["BACKOFFICE_LOG_LEVEL"] = "WARNING"
    sys.path.insert(0, str(ROOT))
    try:
        import django  # noqa: PLC0415 - after the environment is set
        from django.conf import settings  # noqa: PLC0415

        # Copies of rows, which import-export makes, ask the registry for their model.
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.sheets.app.SheetsTests"]
        django.setup()
        return Bench(rows).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Bench:
    """One run on one database."""

    def __init__(self, rows: int) -> None:
        from django.core.management import call_command  # noqa: PLC0415 - after django.setup()
        from django.db import connection  # noqa: PLC0415

        from backoffice.accounts.models import User  # noqa: PLC0415
        from tests.sheets import supplies  # noqa: PLC0415

        call_command("migrate", verbosity=0)
        supplies.register()
        with connection.schema_editor() as editor:
            for model in supplies.MODELS:
                editor.create_model(model)
        self.rows, self.supplies, self.connection = rows, supplies, connection
        self.user = User.objects.create_superuser("bench", "bench@example.com", "bench")
        self.content = self._book(rows)

    def _book(self, rows: int) -> bytes:
        return self.supplies.book([self.supplies.row(number) for number in range(1, rows + 1)])

    def run(self) -> int:
        """Measure everything, interleaved, and print."""
        ours: list[float] = []
        bare: list[float] = []
        for _time in range(TIMES):
            bare.append(self.timed(self.bare))
            ours.append(self.clocked("test-supplies", self.supplies.Supply))
            self.parts = self.last
        again = self.clocked("test-supplies", self.supplies.Supply, empty=False)
        ruled = self.clocked("test-ruled", self.supplies.Ruled)
        tuned = self.scaled(TUNED_ROWS, bulk=True)
        stock = self.scaled(STOCK_ROWS, bulk=False)
        return self.report(median(ours), median(bare), tuned, stock, again=again, ruled=ruled)

    def timed(self, what: Callable[[], None], *, empty: bool = True) -> float:
        """Return the seconds that it takes, on empty tables unless said otherwise."""
        if empty:
            with self.connection.cursor() as cursor:
                for model in self.supplies.MODELS:
                    # On PostgreSQL deleted rows would stay in the way until they are vacuumed.
                    verb = "DELETE FROM" if self.connection.vendor == "sqlite" else "TRUNCATE"
                    cursor.execute(f"{verb} {model._meta.db_table}")
        started = time.perf_counter()
        what()
        return time.perf_counter() - started

    def clocked(self, key: str, model: Any, *, empty: bool = True) -> float:
        """Return the seconds of an import of ours from the confirmed upload on."""
        self.timed(lambda: self.ours(key, model), empty=empty)
        return sum(self.last.values())

    def ours(self, key: str, model: Any) -> None:
        """Check and import the workbook by the jobs of the project."""
        from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: PLC0415

        from backoffice.jobs.run import execute  # noqa: PLC0415
        from backoffice.sheets import services  # noqa: PLC0415
        from backoffice.sheets.models import ImportJob  # noqa: PLC0415

        file = SimpleUploadedFile("supplies.xlsx", self.content)
        job = services.take(file, self.user)
        ImportJob.objects.filter(pk=job.pk).update(format=key)
        job.refresh_from_db()
        self.last = {}
        for name, verb in (("check", services.check), ("run", services.start)):
            started = time.perf_counter()
            execute(verb(job, actor=self.user).pk)
            self.last[name] = time.perf_counter() - started
            job.refresh_from_db()
        assert job.state == job.State.DONE, job.message
        assert model.objects.count() == model.history.count() == self.rows

    def bare(self) -> None:
        """Read with calamine and write the rows; nothing else."""
        from django.db import transaction  # noqa: PLC0415
        from python_calamine import CalamineWorkbook  # noqa: PLC0415

        book = CalamineWorkbook.from_filelike(BytesIO(self.content))
        rows: list[Any] = book.get_sheet_by_index(0).to_python()[1:]
        table = self.supplies.Supply._meta.db_table
        names = ", ".join((*self.supplies.HEADS, "made_at", "changed_at", "kind"))
        more = ("2020-01-01 00:00:00", "2020-01-01 00:00:00", "sheet")
        with self.connection.cursor() as cursor:
            if self.connection.vendor == "postgresql":
                with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row((int(row[0]), *row[1:], *more))
            else:
                marks = ", ".join(["%s"] * (len(self.supplies.HEADS) + 3))
                made = [(int(row[0]), *row[1:6], str(row[6]), row[7], *more) for row in rows]
                with transaction.atomic():
                    cursor.executemany(
                        f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608
                        made,
                    )

    def scaled(self, count: int, *, bulk: bool) -> float:
        """Return the seconds that import-export's own way would take for all rows."""
        from import_export.formats.base_formats import XLSX  # noqa: PLC0415
        from import_export.instance_loaders import CachedInstanceLoader  # noqa: PLC0415
        from import_export.resources import modelresource_factory  # noqa: PLC0415

        from backoffice.audit import history  # noqa: PLC0415

        count = min(count, self.rows)
        content = self._book(count)
        options: dict[str, Any] = {"import_id_fields": ("ext_id",), "fields": self.supplies.HEADS}
        if bulk:
            options |= {
                "use_bulk": True, "batch_size": 1000, "skip_diff": True,
                "instance_loader_class": CachedInstanceLoader,
            }  # fmt: skip
        made = modelresource_factory(self.supplies.Supply, meta_options=options)()

        def bring_in() -> None:
            dataset = XLSX().create_dataset(content)
            with history.recorded() if bulk else nullcontext():
                result = made.import_data(dataset, raise_errors=True)
            assert not result.has_errors()

        seconds = self.timed(bring_in)
        assert self.supplies.Supply.objects.count() == count
        return seconds * self.rows / count

    def report(
        self, ours: float, bare: float, tuned: float, stock: float, *, again: float, ruled: float
    ) -> int:
        """Print the table and return 1 when a ratio is not held."""
        print(f"{self.rows:,} rows of 8 columns, {self.connection.vendor}, in one run")
        print(f"  ours, with history   {ours:8.1f} s  {self.rows / ours:10,.0f} rows/s")
        print("    of it " + ", ".join(f"{name} {one:.1f} s" for name, one in self.parts.items()))
        print(f"  ours, same file again{again:8.1f} s")
        print(f"  ours, model's clean()  {ruled:6.1f} s  {self.rows / ruled:10,.0f} rows/s")
        held = True
        for name, seconds, ratio, limit, most in (
            ("stock, with history", stock, stock / ours, STOCK, False),
            ("tuned, no history", tuned, tuned / ours, TUNED, False),
            ("bare read and write", bare, ours / bare, BARE, True),
        ):
            good = ratio <= limit if most else ratio >= limit
            held = held and good
            sign = "at most" if most else "at least"
            word = "held" if good else "NOT HELD"
            print(f"  {name:<21}{seconds:8.1f} s  {ratio:6.1f} x  ({sign} {limit} x: {word})")
        for name, who in (("worker", resource.RUSAGE_SELF), ("child", resource.RUSAGE_CHILDREN)):
            peak = resource.getrusage(who).ru_maxrss / PEAK_UNIT
            print(f"  peak memory of the {name:<8}{peak:6.0f} MB  (limit {MEGABYTES} MB)")
            held = held and peak < MEGABYTES
        print("within the limits" if held else "over a limit")
        return int(not held)


if __name__ == "__main__":
    sys.exit(main())
