"""`manage.py worker`: runs jobs and recurring functions until it is told to stop."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections, connection
from django_tasks_db.management.commands.db_worker import Worker

from backoffice.jobs import services
from backoffice.jobs.run import name_worker

logger = logging.getLogger("backoffice.jobs")


def _repeat(function: Callable[[], object], seconds: float) -> None:
    """Call `function` for ever; what it raises is logged, since the thread must live."""
    while True:
        try:
            function()
        except Exception:
            logger.exception("%s failed", getattr(function, "__name__", "a repeated call"))
            connection.close()
        close_old_connections()
        time.sleep(seconds)


def _tick() -> None:
    services.reap()
    services.run_due()


class Command(BaseCommand):
    """The worker: one job at a time, with signs of life beside it."""

    help = "Run jobs and recurring functions. Start as many as you like; stop with Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--interval", type=float, default=0.3, help="seconds between looks")
        parser.add_argument("--batch", action="store_true", help="stop when nothing waits")

    def handle(self, *args: Any, interval: float, batch: bool, **options: Any) -> None:
        """Run until stopped. A running job is finished first; a second signal ends at once."""
        name = f"{socket.gethostname()[:40]}-{os.getpid()}"
        name_worker(name)
        # Signs of life have a thread of their own: a slow recurring call must not look like death.
        for function, seconds in ((services.beat, 2.0), (_tick, 1.0)):
            threading.Thread(target=_repeat, args=(function, seconds), daemon=True).start()
        worker = Worker(
            queue_names=["*"],
            interval=interval,
            batch=batch,
            backend_name="default",
            startup_delay=False,
            max_tasks=None,
            worker_id=name,
            excluded_queue_names=[],
        )
        worker.configure_signals()
        worker.run()
