"""`manage.py worker`: runs jobs and recurring functions until it is told to stop."""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections, connection
from django_tasks_db.management.commands.db_worker import Worker

from backoffice.jobs import schedule, upkeep
from backoffice.jobs.run import name_worker

logger = logging.getLogger("backoffice.jobs")


def _forever(function: Callable[[], object], seconds: float) -> None:
    """Call `function` for ever; what it raises is logged, since the thread must live."""
    while True:
        try:
            function()
        except Exception:
            logger.exception("%s failed", getattr(function, "__name__", "a repeated call"))
            connection.close()
        close_old_connections()
        time.sleep(seconds)


def _beside(name: str) -> None:
    """Start what runs beside the jobs, each in a thread of its own.

    A slow recurring call must look like no death, and must keep no lost job waiting.
    """
    beat = upkeep.beat_seconds()
    repeated: list[tuple[Callable[[], object], float]] = [
        (partial(upkeep.beat, name), beat),
        (upkeep.reap, beat / 2),
        (upkeep.wake, 2 * beat),
        (schedule.run_due, 1.0),
    ]
    for function, seconds in repeated:
        threading.Thread(target=_forever, args=(function, seconds), daemon=True).start()


class Command(BaseCommand):
    """The worker: one job at a time, with signs of life beside it."""

    help = "Run jobs and recurring functions. Start as many as you like; stop with Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--interval", type=float, default=0.3, help="seconds between looks")
        parser.add_argument("--batch", action="store_true", help="stop when nothing waits")

    def handle(self, *args: Any, interval: float, batch: bool, **options: Any) -> None:
        """Run until stopped. A running job is finished first; a second signal ends at once."""
        name = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(2)}"
        name_worker(name)
        upkeep.enter(name)
        _beside(name)
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
        try:
            worker.run()
        finally:
            upkeep.leave(name)
