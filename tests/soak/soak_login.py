#!/usr/bin/env python3
"""Thousands of bad log-ins from many addresses and names, against eight processes on loopback.

`make soak-login TRIES=10000 DATABASES=sqlite,postgres`. Each database is new and goes afterwards;
the server is gunicorn with eight processes. Addresses are real ones of 127.0.0.0/8. Meanwhile and
afterwards the right person signs in, from her browser and from her address. In the end no account
was opened, she always got in, and the counts are exact. It ends by itself: after SECONDS_A_TRY for
each try it gives up.
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter as Tally
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.soak.databases import ROOT, run_on

PROCESSES, CLIENTS = 8, 24
SECONDS_A_TRY, SECONDS_TO_START = 0.12, 90
ADDRESSES, NAMES = 400, 150
HER_BROWSER, HER_ADDRESS, FAR = "127.9.9.1", "127.9.9.2", "127.8.8.8"
PASSWORD = "the right and long password"
_TOKEN = "t" * 32  # the CSRF cookie and the field say the same
_FOUND = 302
_LOGIN, _INSIDE, _CODE = "/account/login/", "/admin/", "/account/login/code/"


@dataclass
class Answer:
    """What the server said: status, where to, and the cookies it set."""

    status: int
    location: str
    cookies: dict[str, str]


@dataclass
class Soak:
    """One run on one database. `statuses` counts what the bad tries were told."""

    tries: int
    seed: int
    port: int = 0
    device: str = ""
    statuses: Tally[str] = field(default_factory=Tally)
    hers: Tally[str] = field(default_factory=Tally)
    wrong: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Attack, let her sign in meanwhile, and look at what is left."""
        self._people()
        with _server() as self.port, ThreadPoolExecutor(CLIENTS) as pool:
            self._she_signs_in("before")
            end = time.monotonic() + SECONDS_TO_START + SECONDS_A_TRY * self.tries
            for number, answer in enumerate(pool.map(self._bad, self._plan())):
                self.statuses[answer] += 1
                if number % max(self.tries // 10, 1) == 0:
                    self._she_signs_in("during")
                if time.monotonic() > end:
                    self.wrong.append(f"only {number} of {self.tries} tries in the time there was")
                    pool.shutdown(cancel_futures=True)
                    return
            self._she_signs_in("after")
            self._stranger_with_the_right_password()
        self._compare()

    def _people(self) -> None:
        """Make the people; of two she is known by a browser and by an address."""
        from backoffice.accounts import devices  # noqa: PLC0415 - needs the settings
        from backoffice.accounts.models import Device, User  # noqa: PLC0415

        for name in ("eve", "kim", "max"):
            User.objects.create_user(name, f"{name}@example.com", PASSWORD, is_staff=True)
        eve, secret = User.objects.get(username="eve"), "s" * 43
        digest = devices._digest(secret)
        Device.objects.create(user=eve, digest=digest, label="Firefox", address=HER_BROWSER)
        Device.objects.create(user=eve, digest="other", label="Firefox", address=HER_ADDRESS)
        from django.http import HttpResponse  # noqa: PLC0415 - needs the settings

        answer = HttpResponse()
        answer.set_signed_cookie(devices.COOKIE, secret, salt=devices._SALT)
        self.device = answer.cookies[devices.COOKIE].OutputString().partition(";")[0]

    def _plan(self) -> Iterator[tuple[str, str]]:
        """Yield (address, name): much at one name, much from one address, the rest anywhere."""
        dice = random.Random(self.seed)
        names = ["eve", "kim", "max", *(f"nobody{number}" for number in range(NAMES))]
        places = [f"127.1.{number // 200}.{number % 200 + 1}" for number in range(ADDRESSES)]
        for number in range(self.tries):
            kind = number % 4
            name = "eve" if kind == 0 else dice.choice(names)
            place = places[0] if kind == 1 else dice.choice(places)
            if kind == 2 and name != "eve":
                place = HER_BROWSER  # strangers behind her own address, at other names
            yield place, name

    def _bad(self, where: tuple[str, str]) -> str:
        """Try a wrong password; return in a word what came of it."""
        address, name = where
        answer = self._post(address, name, "wrong password here")
        opened = answer.status == _FOUND or "sessionid" in answer.cookies
        return f"{answer.status}{' opened' if opened else ''}"

    def _she_signs_in(self, when: str) -> None:
        """Sign in from her browser; and from her address, where a code is mailed next."""
        answer = self._post(HER_BROWSER, "eve", PASSWORD, self.device)
        session = answer.cookies.get("sessionid", "")
        inside = self._ask(HER_BROWSER, "GET", _INSIDE, f"sessionid={session}").status
        if (answer.status, inside) != (_FOUND, 200):
            self.wrong.append(f"{when}: from her browser {answer}, inside {inside}")
        other = self._post(HER_ADDRESS, "eve", PASSWORD)
        if (other.status, other.location) != (_FOUND, _CODE):
            self.wrong.append(f"{when}: from her address {other}")
        self.hers[when] += 1

    def _stranger_with_the_right_password(self) -> None:
        """Somebody far away who guessed right is not even looked at while the name is paused."""
        answer = self._post(FAR, "eve", PASSWORD)
        if answer.status == _FOUND:
            self.wrong.append(f"a stranger got in with the right password: {answer}")

    def _post(self, address: str, name: str, password: str, cookie: str = "") -> Answer:
        values = {"login": name, "password": password, "csrfmiddlewaretoken": _TOKEN}
        cookies = "; ".join(filter(None, (f"csrftoken={_TOKEN}", cookie)))
        return self._ask(address, "POST", _LOGIN, cookies, urlencode(values))

    def _ask(self, address: str, method: str, path: str, cookie: str, body: str = "") -> Answer:
        server = HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(address, 0))
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            server.request(method, path, body or None, headers)
            answer = server.getresponse()
            answer.read()
        except (OSError, HTTPException) as error:
            return Answer(0, repr(error), {})
        finally:
            server.close()
        set_cookies = answer.headers.get_all("Set-Cookie") or []
        pairs = dict(line.partition(";")[0].split("=", 1) for line in set_cookies)
        return Answer(answer.status, answer.headers.get("Location", ""), pairs)

    def _compare(self) -> None:
        """Compare the counts in the database with what was done."""
        from django.conf import settings  # noqa: PLC0415 - needs the settings
        from django.db.models import F, Sum  # noqa: PLC0415

        from backoffice.accounts.models import Counter  # noqa: PLC0415 - needs the settings
        from backoffice.audit.models import Event  # noqa: PLC0415

        self.looked_at = Event.objects.filter(verb="session.sign_in_failed").count()
        steps = settings.BACKOFFICE_LOCKOUT["password"]
        buckets = sum(len(steps[who]) for who in ("pair", "address", "account"))
        # A try that was looked at counts in each bucket, one that had to wait in one alone.
        far = 1
        expected = self.tries + far + (buckets - 1) * self.looked_at
        rows = Counter.objects.filter(bucket__startswith="password.")
        counted = rows.aggregate(total=Sum(F("hits")))["total"]
        if counted != expected:
            self.wrong.append(f"the counts are {counted} in all, not {expected}")
        statuses = {status: n for status, n in self.statuses.items() if status != "200"}
        if statuses:
            self.wrong.append(f"bad tries were told {statuses}")
        self.wrong += _beyond_the_limit()
        signed_in = Event.objects.filter(verb="session.signed_in").count()
        if signed_in != self.hers.total():
            self.wrong.append(f"{signed_in} sign-ins, of which {self.hers.total()} are hers")

    def told(self) -> str:
        """Return the numbers in a line."""
        return (
            f"{self.tries} bad tries, {self.looked_at} looked at, "
            f"{self.tries - self.looked_at} paused; none opened; she signed in "
            f"{self.hers.total()} times"
        )


def _beyond_the_limit() -> list[str]:
    """Return the names of which strangers' passwords were looked at more often than allowed."""
    from django.conf import settings  # noqa: PLC0415 - needs the settings

    from backoffice.accounts.models import User  # noqa: PLC0415 - needs the settings
    from backoffice.audit.models import Event  # noqa: PLC0415

    hits, seconds = settings.BACKOFFICE_LOCKOUT["password"]["account"][-1]
    found = []
    for user in User.objects.all():
        failed = Event.objects.about(user).filter(verb="session.sign_in_failed")
        times = sorted(at.timestamp() for at in failed.values_list("at", flat=True))
        windows = {int(at // seconds) for at in times}
        if len(times) > hits * max(len(windows), 1):
            found.append(f"{len(times)} passwords of {user.username} were looked at")
    return found


@contextmanager
def _server() -> Iterator[int]:
    """Run gunicorn with eight processes; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "gunicorn", "backoffice.project.wsgi:application", "--preload",
        "--bind", f"127.0.0.1:{port}", "--workers", str(PROCESSES), "--timeout", "120",
        "--backlog", "512", "--log-level", "error", "--no-control-socket",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        end = time.monotonic() + SECONDS_TO_START
        while not _answers(port):
            if time.monotonic() > end or process.poll() is not None:
                msg = "the server does not start"
                raise RuntimeError(msg)
            time.sleep(0.2)
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int) -> bool:
    server = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        server.request("GET", _LOGIN)
        return server.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        server.close()


def soak(tries: int, seed: int) -> int:
    """Run on the database of DATABASE_URL; 1 when anything is wrong."""
    import django  # noqa: PLC0415 - the settings are known by now
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    from django.db import connection  # noqa: PLC0415 - needs the settings

    call_command("migrate", verbosity=0)
    run, start = Soak(tries, seed), time.monotonic()
    run.run()
    seconds = time.monotonic() - start
    if not run.wrong:
        print(f"{connection.vendor}: {run.told()}; {seconds:.0f} s, seed {seed}", flush=True)
    for line in run.wrong:
        print(f"  WRONG: {connection.vendor}: {line}", flush=True)
    return int(bool(run.wrong))


def main() -> int:
    """Run on each database in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=10_000)
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--here", action="store_true", help="on DATABASE_URL, in this process")
    given = parser.parse_args()
    if given.here:
        return soak(given.tries, given.seed)
    options = (f"--tries={given.tries}", f"--seed={given.seed}")
    names = [name for name in given.databases.split(",") if name]
    return max(run_on(name, __file__, options, "tests.soak.login_settings") for name in names)


if __name__ == "__main__":
    sys.exit(main())
