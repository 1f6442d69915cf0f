"""The record of activity with a million events: sealing, proving, and the page Activity.

    python tests/benchmarks/bench_audit.py [EVENTS]

Fills a new SQLite database (or the empty one of DATABASE_URL), links all events, lets
`manage.py audit verify` compute them anew in a process of its own, and opens the first page of
Activity and searches by person, verb and record. The exit code is 1 when verify takes longer than
a minute for a million, needs more memory for all events than for a tenth of them, or a page reads
a table of the record from one end to the other.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS_A_MILLION = 60
QUERIES = 30
# A tenth of the events and all of them need the same memory, give or take so much.
GROWTH = 1.15
# On Linux ru_maxrss is in kilobytes.
PEAK_UNIT = 1024
CUSTOMERS = 50_000
START = datetime(2026, 1, 1, tzinfo=UTC)
EVENT_COLUMNS = (
    "id, at, actor_id, verb, subject_type, subject_id, reason_hash, outcome, context, address,"
    " session, request_id"
)


def main(count: int) -> int:
    """Measure, print, and return the exit code."""
    folder = tempfile.mkdtemp(prefix="backoffice-bench-")
    os.environ["BACKOFFICE_VAR"] = folder
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.project.settings")
    os.environ["BACKOFFICE_LOG_LEVEL"] = "WARNING"
    try:
        return measure(count)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(count: int) -> int:
    """Fill, seal, verify, and open pages on the database of the environment."""
    sys.path.insert(0, str(ROOT))
    import django  # noqa: PLC0415 - after the environment is set

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    from backoffice.audit import chain  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    print(f"{count:,} events, {connection.vendor}")
    filled = clocked(lambda: fill(count))
    print(f"  filled        {filled:7.1f} s")
    sealing = clocked(chain.seal)
    print(f"  sealed        {sealing:7.1f} s   {count / sealing:,.0f} a second")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")  # as its autovacuum does within a minute
    idle = clocked(chain.seal)
    print(f"  nothing to do {idle * 1000:7.1f} ms")
    over = proved(count)
    over += [problem for name, query in PAGES.items() for problem in page(name, query)]
    print("\n".join(over) or "within the limits")
    return int(bool(over))


def clocked(act: Any) -> float:
    """Return the seconds that the call takes."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def fill(count: int) -> None:
    """Write events of two months, half of them with a reason, a tenth about two records."""
    from django.contrib.auth.models import Group  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    from backoffice.accounts.models import User  # noqa: PLC0415

    people = [User.objects.create(username=f"person{i}", is_staff=True) for i in range(20)]
    people[0].groups.add(Group.objects.get(name="auditor"))
    keys = [person.pk for person in people]
    marks = ", ".join(["%s"] * 12)
    tables = (
        f"INSERT INTO audit_event ({EVENT_COLUMNS}) VALUES ({marks})",  # noqa: S608 - our own names
        "INSERT INTO audit_eventreason (event_id, text, salt) VALUES (%s, %s, %s)",
        (
            "INSERT INTO audit_eventsubject (event_id, position, subject_type, subject_id)"
            " VALUES (%s, 1, 'orders.order', %s)"
        ),
    )
    for some in batched(rows(count, keys), 10_000):
        with connection.cursor() as cursor:
            for table, statement in enumerate(tables):
                cursor.executemany(statement, [row[table] for row in some if row[table]])
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"ALTER SEQUENCE audit_event_id_seq RESTART WITH {count + 1}")
            cursor.execute("ANALYZE")


def rows(count: int, people: list[int]) -> Iterator[tuple[Any, Any, Any]]:
    """Yield the values of an event, of its reason or None, of its further subject or None."""
    from django.db import connection  # noqa: PLC0415

    from backoffice.audit import chain, verbs  # noqa: PLC0415

    words = [verb for verb, _text in verbs.choices()]
    step = timedelta(days=60) / count
    for key in range(1, count + 1):
        at = connection.ops.adapt_datetimefield_value(START + step * key)
        salt = f"{key:032x}"
        text = f"Asked in call {key}" if key % 2 else ""
        event = (
            key, at, people[key % len(people)], words[key % len(words)], "customers.customer",
            str(key * 7919 % CUSTOMERS), chain.reason_hash(salt, text) if text else "",
            "done" if key % 50 else "refused", json.dumps({"fields": ["name"], "rows": key}),
            "192.0.2.1", "0123456789abcdef", f"request-{key}",
        )  # fmt: skip
        further = (key, str(key % CUSTOMERS)) if key % 10 == 0 else None
        yield event, (key, text, salt) if text else None, further


def proved(count: int) -> list[str]:
    """Verify a tenth and all, each in a process of its own; return what is over the limits."""
    tenth = (START + timedelta(days=54)).isoformat()
    few, _, small = verified("--since", tenth)
    seconds, busy, peak = verified()
    limit = SECONDS_A_MILLION * max(count, 100_000) / 1_000_000
    print(
        f"  verify        {seconds:7.1f} s   busy {busy:.1f}, {peak:.0f} MB   limit {limit:.0f} s"
    )
    print(f"  of a tenth    {few:7.1f} s   {small:.0f} MB")
    over = []
    if seconds > limit:
        over.append(f"over the limit: verify took {seconds:.0f} s")
    if peak > small * GROWTH:
        over.append(f"over the limit: verify grew from {small:.0f} to {peak:.0f} MB")
    return over


def verified(*options: str) -> tuple[float, float, float]:
    """Return seconds, seconds of processor and peak memory in MB of one `audit verify`."""
    command = [sys.executable, "manage.py", "audit", "verify", *options]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _pid, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit("verify failed")
    seconds = time.perf_counter() - started
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / PEAK_UNIT


PAGES = {
    "first page": {},
    "by record": {"kind": "accounts.user", "number": "4711"},
    "by number": {"number": "4711"},
    "by person": {"person": "3"},
    "by verb": {"verb": "record.exported"},
    "refused": {"outcome": "refused"},
    "last day": {"period": "day"},
}


def page(name: str, query: dict[str, str]) -> list[str]:
    """Open the page, print its time and queries, and return what is wrong with their plans."""
    from django.db import connection  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    from backoffice.accounts.models import User  # noqa: PLC0415

    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(User.objects.get(username="person0"))
    client.get("/admin/activity/", query)  # what is loaded once is loaded
    with CaptureQueriesContext(
        connection,
    ) as asked:
        seconds = clocked(lambda: client.get("/admin/activity/", query))
    print(f"  {name:<14}{seconds * 1000:7.1f} ms  {len(asked)} queries")
    selects = [entry["sql"] for entry in asked.captured_queries if "audit_" in entry["sql"]]
    bad = [f"{name} reads a whole table: {line}" for sql in selects for line in whole(sql)]
    if len(asked) > QUERIES:
        bad.append(f"{name} asks {len(asked)} queries")
    return bad


def whole(sql: str) -> list[str]:
    """Return the lines of the plan that read a table of the record from end to end.

    SQLite keeps a table in the order of its key: a scan that a LIMIT ends, without sorting, is
    what PostgreSQL calls an index scan.
    """
    from django.db import connection  # noqa: PLC0415

    if not sql.lstrip("( ").startswith("SELECT"):
        return []
    postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute(f"{'EXPLAIN' if postgresql else 'EXPLAIN QUERY PLAN'} {sql}")
        lines = [str(row[-1]) for row in cursor.fetchall()]
    if postgresql:
        return [line for line in lines if re.search(r"Seq Scan on audit_", line)]
    in_order = "LIMIT" in sql and not any("TEMP B-TREE FOR ORDER" in line for line in lines)
    scans = [line for line in lines if re.match(r"SCAN audit_\w+$", line)]
    return [] if in_order else scans


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
