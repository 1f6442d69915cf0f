"""`manage.py serve`: everything that the backoffice needs to run, on this machine.

Without an argument it sets up the database, fills it in development, and runs web, worker and the
three demo backends until Ctrl-C. With `web`, `worker` or `backends` it runs that part alone.
"""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from backoffice.accounts import setup
from backoffice.project import env
from backoffice.project.checks import demo_accounts
from backoffice.project.management.commands import demo
from backoffice.project.supervisor import (
    AlreadyRunningError,
    StoppedError,
    Supervisor,
    answers,
    is_free,
    only_one,
    stop_on_signals,
    wait_until,
)

START_SECONDS = 60
BACKENDS = settings.BASE_DIR / "fixtures" / "backends"
MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]


def web_address() -> str:
    """Return where the web server listens, as "host:port"."""
    return env.text("BACKOFFICE_BIND", "127.0.0.1:8000")


def web_command() -> list[str]:
    """Return gunicorn's command line; WEB_CONCURRENCY sets its number of processes."""
    return [
        sys.executable, "-m", "gunicorn", "backoffice.project.wsgi:application",
        "--bind", web_address(), "--worker-class", "gthread", "--threads", "8",
        "--timeout", "60", "--graceful-timeout", "5", "--log-level", "warning",
        "--no-control-socket",
    ]  # fmt: skip


def worker_command() -> list[str]:
    """Return the worker's command line."""
    return [*MANAGE, "worker"]


def gateway_ledger() -> Path:
    """Return the simulator's books: one for each database, since both tell of the same refunds."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        return Path(settings.VAR_DIR) / "gateway.sqlite3"
    place = f"{database['HOST']}:{database['PORT']}/{database['NAME']}"
    return Path(settings.VAR_DIR) / f"gateway-{sha256(place.encode()).hexdigest()[:12]}.sqlite3"


def webhook_address() -> str:
    """Return where the simulator sends its events: to the web server of this machine."""
    host, _colon, port = web_address().rpartition(":")
    host = "127.0.0.1" if host in {"", "0.0.0.0", "[::]"} else host  # noqa: S104 - compared with
    return f"http://{host}:{port}/webhooks/simulator/"


def backends() -> dict[str, tuple[str, list[str]]]:
    """Return the demo backends that belong to this machine: name -> (address, command line).

    One whose address was set to another machine is somebody else's business.
    """
    simulator = settings.GATEWAYS["simulator"]["OPTIONS"]["base_url"]
    ledger = ["--state", str(gateway_ledger()), "--webhook", webhook_address()]
    wanted = {
        "gateway simulator": (simulator, "gateway.py", ledger),
        "customer API": (settings.BACKOFFICE_CUSTOMER_API_URL, "customer_api.py", []),
        "order API": (settings.BACKOFFICE_ORDER_API_URL, "order_api.py", []),
    }
    return {
        name: (url, [sys.executable, str(BACKENDS / script), "--port", url_port(url), *options])
        for name, (url, script, options) in wanted.items()
        if url.startswith(("http://127.0.0.1:", "http://localhost:"))
    }


def url_port(url: str) -> str:
    """Return the port of "http://host:port" as text."""
    return url.rstrip("/").rpartition(":")[2]


class Command(BaseCommand):
    """Runs the system, or one part of it."""

    help = "Run web, worker and demo backends until Ctrl-C (or the one part that is named)."
    requires_system_checks = ()  # the processes that it starts check themselves

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the part."""
        parser.add_argument("part", nargs="?", choices=["web", "worker", "backends"])

    def handle(self, *args: Any, part: str | None, **options: Any) -> None:
        """Run until stopped."""
        match part:
            case "web":
                self.prepare_static()
                self.look_at_people()
                self.require_free(f"http://{web_address()}", "BACKOFFICE_BIND")
                os.execv(sys.executable, web_command())  # noqa: S606 - becomes the web server
            case "worker":
                os.execv(sys.executable, worker_command())  # noqa: S606 - becomes the worker
            case "backends":
                self.supervise(self.start_backends)
            case _:
                self.serve_all()

    def serve_all(self) -> None:
        """Run every part, once a data folder. Development keeps the terminal free of requests."""
        if not settings.PRODUCTION:
            os.environ.setdefault("BACKOFFICE_LOG_LEVEL", "WARNING")
        try:
            with only_one(Path(settings.VAR_DIR)):
                self.supervise(self.start_all)
        except AlreadyRunningError:
            raise CommandError("It already runs from this folder; stop it first.") from None

    def supervise(self, start: Callable[[Supervisor], None]) -> None:
        """Call `start(supervisor)`, watch what it started, and stop all of it at the end."""
        stop_on_signals()
        supervisor = Supervisor(self.say)
        try:
            start(supervisor)
            connection.close()
            supervisor.watch()
        except StoppedError:
            self.say("stopping")
        finally:
            supervisor.stop()

    def start_all(self, supervisor: Supervisor) -> None:
        """Set up what is missing, start every part, and tell where it is."""
        self.require_free(f"http://{web_address()}", "BACKOFFICE_BIND")
        self.migrate()
        self.prepare_static()
        self.look_at_people()
        if not settings.PRODUCTION:
            self.start_backends(supervisor)
            self.fill(supervisor)
        supervisor.add("worker", worker_command())
        supervisor.add("web", web_command())
        front = f"http://{web_address()}"
        if not wait_until(partial(answers, f"{front}/admin/login/"), START_SECONDS):
            raise CommandError(f"The web server does not answer on {front}; see above why.")
        self.tell(front)

    def start_backends(self, supervisor: Supervisor) -> None:
        """Start the demo backends and wait until they answer. Refused in production."""
        if settings.PRODUCTION:
            raise CommandError("The demo backends are not for production.")
        secret = settings.GATEWAYS["simulator"]["OPTIONS"].get("webhook_secret", "")
        os.environ["GATEWAY_SECRET"] = secret  # no argument: others see those
        for name, (url, command) in backends().items():
            self.require_free(url, f"the {name}'s address")
            supervisor.add(name, command, quiet=True)
        for name, (url, _command) in backends().items():
            if not wait_until(partial(answers, f"{url}/health"), START_SECONDS):
                raise CommandError(f"The {name} does not answer on {url}; see above why.")
            self.say(f"{name} on {url}")

    def fill(self, supervisor: Supervisor) -> None:
        """Seed the demo into an empty database, in a process of its own: it needs memory."""
        if not demo.is_empty():
            return
        connection.close()
        child = supervisor.add("demo data", [*MANAGE, "demo"])
        supervisor.children.remove(child)
        process = child.process
        try:
            if process is not None and process.wait() != 0:
                raise CommandError("The demo data could not be made; see above why.")
        except StoppedError:
            supervisor.children.append(child)
            raise

    def migrate(self) -> None:
        """Apply the migrations that are missing."""
        try:
            executor = MigrationExecutor(connection)
        except OperationalError as error:
            raise CommandError(f"The database cannot be reached: {error}") from error
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.say("setting up the database")
            call_command("migrate", verbosity=0, interactive=False)

    def look_at_people(self) -> None:
        """Refuse the demo's people in production; say what an empty database waits for."""
        if settings.PRODUCTION and (found := demo_accounts()):
            names = ", ".join(found)
            raise CommandError(f"People of the demo, with its public password, are in: {names}.")
        if setup.is_open():
            self.say("nobody is in the database yet: `manage.py setup_code` prints the code for")
            self.say(f"the set-up on {settings.BACKOFFICE_BASE_URL}/setup/")

    def prepare_static(self) -> None:
        """Collect static files in production, when one is newer than what was collected."""
        root = Path(settings.STATIC_ROOT)
        root.mkdir(parents=True, exist_ok=True)
        manifest = root / "staticfiles.json"
        if settings.PRODUCTION and newest_static() > modified(manifest):
            self.say("collecting static files")
            call_command("collectstatic", verbosity=0, interactive=False)

    def require_free(self, url: str, setting: str) -> None:
        """Raise CommandError when somebody listens there already."""
        if not is_free(url):
            raise CommandError(f"{url} is in use; stop what listens there, or set {setting}.")

    def tell(self, front: str) -> None:
        """Print addresses and, in development, the log-ins."""
        lines = ["", f"Staff site    {front}/admin/", f"Seller site   {front}/seller/"]
        lines += [f"API           {front}/api/v1/docs/"]
        if not settings.PRODUCTION:
            simulator = settings.GATEWAYS["simulator"]["OPTIONS"]["base_url"]
            lines += [f"Gateway       {simulator}/ (faults to play)", "", *demo.log_ins()]
        lines += ["", "Ctrl-C stops it all. `make reset` starts over with fresh demo data.", ""]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()

    def say(self, text: str) -> None:
        """Print one line of what happens."""
        self.stdout.write(f"· {text}")
        self.stdout.flush()


def modified(path: Path) -> float:
    """Return when a file was changed last, in seconds; 0 for one that does not exist."""
    return path.stat().st_mtime if path.exists() else 0.0


def newest_static() -> float:
    """Return when the newest static file, or the set of installed packages, was changed."""
    packages = Path(django.__file__).parent.parent
    files = (storage.path(name) for finder in get_finders() for name, storage in finder.list([]))
    return max(modified(packages), *(modified(Path(path)) for path in files))
