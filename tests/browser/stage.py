"""The people of a journey, each with a browser window of their own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from playwright.sync_api import Browser, Locator, Page, expect

from backoffice.accounts.models import User
from tests.browser.looks import DESKTOP, Complaints, Looks
from tests.people import PASSWORD
from tests.processes import ROOT, environment

WAIT_MS = 10_000


class Actor:
    """One person at a browser; `page` is what they see."""

    def __init__(self, page: Page, complaints: Complaints, looks: Looks, base: str) -> None:
        self.page = page
        self.complaints = complaints
        self._looks = looks
        self._base = base

    def open(self, path: str) -> int:
        """Type an address; return the status of the answer."""
        response = self.page.goto(self._base + path)
        assert response is not None
        return response.status

    def status(self, path: str) -> int:
        """Ask for an address without opening it; return the status of the answer."""
        return self.page.request.get(self._base + path).status

    def look(self, name: str) -> None:
        """Look at the page: accessibility, and a picture where wanted."""
        self._looks.at(self.page, name)

    def click(self, name: str, role: str = "link") -> None:
        """Click the link (or "button" …) of exactly this name."""
        self.named(name, role).click()

    def go(self, label: str) -> None:
        """Choose a page of the sidebar; its link may carry a count behind the label."""
        pages = self.page.get_by_role("navigation", name="Pages")
        pages.get_by_role("link", name=re.compile(rf"^{re.escape(label)}( \d+)?$")).click()

    def act(self, label: str) -> None:
        """Choose an action of the record: a button of the page's head, or an entry of More."""
        button = self.page.get_by_role("link", name=label, exact=True)
        if button.count() and button.first.is_visible():
            button.first.click()
            return
        self.click("More", "button")
        self.page.get_by_role("link", name=f"{label}…").click()

    def dialog(self) -> Locator:
        """Return the open dialog."""
        return self.page.get_by_role("dialog")

    def named(self, name: str, role: str = "link") -> Locator:
        """Return the first thing of this role and name."""
        return self.page.get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]

    def sees(self, text: str) -> None:
        """Wait until the text stands on the page."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=WAIT_MS)

    def cookies(self) -> dict[str, str]:
        """Return the cookies of this person's session."""
        return {cookie["name"]: cookie["value"] for cookie in self.page.context.cookies()}


class Stage:
    """Brings people on, and the worker."""

    def __init__(
        self, url: str, browser: Browser, looks: Looks, stack: ExitStack, folder: Path
    ) -> None:
        self.url = url
        self.folder = folder
        self._browser = browser
        self._looks = looks
        self._stack = stack
        self._actors: list[Actor] = []

    def visitor(self) -> Actor:
        """Return somebody with a fresh window who is not signed in."""
        context = self._browser.new_context(
            viewport={"width": DESKTOP[0], "height": DESKTOP[1]},
            color_scheme="light",
            reduced_motion="reduce",
            accept_downloads=True,
            locale="en-GB",
        )
        context.set_default_timeout(WAIT_MS)
        self._stack.callback(context.close)
        page = context.new_page()
        actor = Actor(page, Complaints(page), self._looks, self.url)
        self._actors.append(actor)
        return actor

    def enter(self, user: User, site: str = "admin") -> Actor:
        """Return the person, signed in by the form of the site."""
        actor = self.visitor()
        actor.open(f"/{site}/")
        actor.look(f"{site}-sign-in")
        actor.page.get_by_label("User name").fill(user.username)
        actor.page.get_by_label("Password", exact=True).fill(PASSWORD)
        actor.click("Continue", "button")
        actor.page.wait_for_url(f"**/{site}/")
        return actor

    def start_worker(self) -> "Worker":
        """Run `manage.py worker` on this test's database until the end of the journey."""
        worker = Worker()
        self._stack.callback(worker.end)
        return worker

    def age_proofs(self) -> None:
        """Let eleven minutes pass since everybody entered their password."""
        for row in Session.objects.all():
            session = SessionStore(row.session_key)
            session["stepup_at"] = time.time() - 11 * 60
            session.save()

    def complaints(self) -> list[str]:
        """Return all that browsers complained about."""
        return [line for actor in self._actors for line in actor.complaints.found]


class Worker:
    """`manage.py worker` on this test's database, with all that it starts."""

    def __init__(self) -> None:
        command = [sys.executable, "manage.py", "worker"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), start_new_session=True
        )

    def end(self) -> None:
        """Kill it, and the children that would outlive it; nothing where that is done."""
        if self._process.returncode is not None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep it from working inside the block."""
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until it holds; fails the test when it does not in time."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come true in time"
        time.sleep(0.2)
