"""Every page in a real browser, light and dark: the policy refuses nothing, the console is empty.

The registry of the walk names the addresses. Each is opened by the first person who may, on the
way an address that somebody may not open shows them its refusal, which is a page too. One visit
stands for both looks: the theme is switched on the open page, as its button does.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from playwright.sync_api import Browser, Page, Response
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from backoffice.accounts.models import User
from backoffice.browser.models import Violation
from tests.browser.looks import _SET_DARK, Complaints
from tests.browser.stage import wait_for
from tests.walker.addresses import addresses
from tests.walker.cast import NOBODY, WHOLE
from tests.walker.registry import visits
from tests.walker.walk import Visit
from tests.walker.world import World

pytestmark = pytest.mark.browser

OK, FOUND, FORBIDDEN, NOT_FOUND = 200, 302, 403, 404
# The owner opens most; the others what takes another role; the shop's people their own site.
STAFF = ("kim", "oli", "ann", "max", "ada", NOBODY)
SELLERS = ("sol",)
# Some of what has to be among the pages, so that an empty walk is not a clean one.
REACHED = {
    "admin": {
        "admin:index",
        "admin:customers_customer_change",
        "admin:orders_order_change",
        "admin:violations",
        "api:docs",
    },
    "seller": {"seller:index", "seller:orders_order_change"},
}
DIALOGS = {"admin": 5, "seller": 0}
# Pages that every list or record has, by one template: the suite opens a few, `make soak-walk` all.
ALIKE, FEW = ("_add", "_columns", "_delete", "_history"), 5
# Pages that refuse are pages too: one of each status a person is looked at.
_REFUSALS = {FORBIDDEN, NOT_FOUND}
_HEARS = """document.addEventListener("securitypolicyviolation", (event) => console.error(
    `refused: ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`));"""
_OPEN_DIALOG = """() => {
    const link = document.querySelector("a[data-dialog]");
    link?.click();
    return Boolean(link);
}"""
_PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass
class Seen:
    """What came of the visits: complaints, and how much there was to complain about."""

    found: list[str] = field(default_factory=list)
    pages: set[str] = field(default_factory=set)
    answers: dict[str, int] = field(default_factory=dict)
    dialogs: int = 0
    charts: int = 0

    def enough(self, address: str) -> bool:
        """Say whether the suite has opened enough pages that are like this one."""
        ending = next((ending for ending in ALIKE if address.endswith(ending)), None)
        if WHOLE or ending is None:
            return False
        return sum(page.endswith(ending) for page in self.pages) >= FEW


class Tour:
    """One person's way through the pages in one window."""

    def __init__(self, page: Page, client: Client, name: str, base: str, seen: Seen) -> None:
        self.page = page
        self.name = name
        self.seen = seen
        self._client = client
        self._base = base
        self._refusals = set(_REFUSALS)
        self._heard = Complaints(page)
        page.add_init_script(_HEARS)
        page.on("response", self._part)

    def _part(self, response: Response) -> None:
        """Note a part of a page that is not there, also where the page itself may be refused."""
        if response.status in _REFUSALS and not response.request.is_navigation_request():
            self._heard.found.append(f"part: {response.status} {response.url}")

    def walk(self, found: Iterable[Visit]) -> None:
        """Open what nobody has opened yet and this person may, and a refusal of each kind."""
        for visit in found:
            if self._may_differ(visit.address) and self._is_page(visit):
                self.visit(visit.url)

    def _may_differ(self, address: str) -> bool:
        """Say whether this person may be shown what those before them were not.

        Only a refusal is one's own; and who is signed in is led past the pages of signing in.
        """
        if address in self.seen.pages or self.seen.enough(address):
            return False
        before = self.seen.answers.get(address, FORBIDDEN)
        return before in _REFUSALS or (self.name == NOBODY and before == FOUND)

    def _is_page(self, visit: Visit) -> bool:
        """Ask without the browser what there is: it has no patience with empty answers."""
        answer = self._client.get(visit.url)
        self.seen.answers[visit.address] = answer.status_code
        if "text/html" not in answer.headers.get("Content-Type", ""):
            return False
        if answer.status_code == OK:
            self.seen.pages.add(visit.address)
            return True
        wanted = answer.status_code in self._refusals
        self._refusals.discard(answer.status_code)
        return wanted

    def visit(self, url: str) -> None:
        """Open a page, look at it dark and light, open a dialog where it offers one."""
        with self._heard.expecting(*_REFUSALS):
            self.page.goto(self._base + url)
        self.seen.charts += self.page.locator(".js-plotly-plot").count()
        for dark in (True, False):
            self.page.evaluate(_SET_DARK, dark)
            self.page.evaluate(_PAINTED)
        if self.page.evaluate(_OPEN_DIALOG):
            self.page.locator("dialog[open]").first.wait_for()
            self.seen.dialogs += 1
        heard, self._heard.found = self._heard.found, []
        self.seen.found += [f"{self.name}: {url}: {line}" for line in heard]


@contextmanager
def tour(browser: Browser, base: str, name: str, user: User | None, seen: Seen) -> Iterator[Tour]:
    """Give a person a window; signed in without the form, which has journeys of its own."""
    context = browser.new_context(locale="en-GB", color_scheme="light")
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
        value = client.cookies[settings.SESSION_COOKIE_NAME].value
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": value, "url": base}
        context.add_cookies([cookie])  # type: ignore[list-item]
    try:
        yield Tour(context.new_page(), client, name, base, seen)
    finally:
        context.close()


def pages_of(site: str, world: World) -> list[Visit]:
    """Return the addresses of a site by GET, and those that belong to none."""
    other = {"admin": "/seller/", "seller": "/admin/"}[site]
    return [visit for visit in visits(addresses(), world) if not visit.url.startswith(other)]


@pytest.mark.usefixtures("backends")
def test_no_page_breaks_the_policy_or_fills_the_console(
    chromium: Browser, live_server: LiveServer, world: World
) -> None:
    for site, names in (("admin", STAFF), ("seller", SELLERS)):
        seen = Seen()
        for name in names:
            with tour(chromium, live_server.url, name, world.people.get(name), seen) as one:
                one.walk(pages_of(site, world))
        assert seen.found == []
        assert REACHED[site] <= seen.pages
        assert seen.charts > 0
        assert seen.dialogs >= DIALOGS[site]
    assert not Violation.objects.exclude(key="0" * 64).exists()


def planted(request: HttpRequest, fault: str) -> HttpResponse:
    """Answer a page with one fault."""
    return HttpResponse(f"<!doctype html><html><title>Planted</title>{FAULTS[fault]}</html>")


FAULTS = {
    "script": "<script>document.title = 'ran'</script>",
    "handler": "<body onload=\"document.title = 'ran'\">",
    "style": "<p style='color: red'>red</p>",
    "image": "<img src='https://elsewhere.example/a.png' alt=''>",
    "frame": "<iframe src='https://elsewhere.example/'></iframe>",
    "missing": "<script src='/static/no-such-file.js'></script>",
}
urlpatterns = [
    path("planted/<str:fault>/", planted),
    path("", include("backoffice.project.urls")),
]


@pytest.mark.usefixtures("transactional_db")
def test_planted_faults_are_found_and_reported(
    chromium: Browser, live_server: LiveServer, settings: Settings
) -> None:
    settings.ROOT_URLCONF = __name__
    with tour(chromium, live_server.url, "nobody", None, Seen()) as one:
        for fault in FAULTS:
            one.visit(f"/planted/{fault}/")
            assert any(f"/planted/{fault}/" in line for line in one.seen.found), fault
        refused = [line for line in one.seen.found if "Content Security Policy" in line]
        assert len(refused) >= len(FAULTS) - 1
        assert one.page.title() == "Planted"
        there = Violation.objects.filter(page="planted/<str:fault>/")
        wait_for(lambda: there.count() >= len(FAULTS) - 1)
    found = set(there.values_list("directive", "blocked"))
    assert {
        ("script-src-elem", "inline"),
        ("script-src-attr", "inline"),
        ("style-src-attr", "inline"),
        ("img-src", "https://elsewhere.example"),
    } <= found
