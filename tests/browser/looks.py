"""What holds for every page: axe finds nothing grave, the console is empty, no request fails.

With BACKOFFICE_SCREENSHOTS=folder each page is also pictured: light, dark, 390 px wide.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request, Response

# What another theme can break; the rest is the same page.
OF_COLOURS = ("color-contrast", "link-in-text-block")
GRAVE = {"serious", "critical"}
DESKTOP, PHONE = (1440, 900), (390, 844)
BAD_REQUEST = 400
# The browser itself takes these back: a click on a link, a download.
_TAKEN_BACK = {"net::ERR_ABORTED"}


# What the button of the theme does, also where a dialog covers it.
_SET_DARK = """dark => {
    document.documentElement.classList.toggle("dark", dark);
    document.dispatchEvent(new CustomEvent("backoffice:theme", {detail: {dark}}));
}"""


class Complaints:
    """Gathers what the browser complains about on a page; `expecting` names what is meant."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        self._expected: set[int] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"script: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    @contextmanager
    def expecting(self, *statuses: int) -> Iterator[None]:
        """Take answers with these statuses for what is wanted, inside the block."""
        before = self._expected
        self._expected = before | set(statuses)
        try:
            yield
        finally:
            self._expected = before

    def _console(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        refused = re.search(r"responded with a status of (\d+)", message.text)
        if refused is None:  # else `_answered` hears of it
            self.found.append(f"console: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure not in _TAKEN_BACK:
            self.found.append(f"request: {request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= BAD_REQUEST and response.status not in self._expected:
            self.found.append(f"request: {response.status} {response.url}")


class Looks:
    """Looks at pages: axe in light and dark, pictures where a folder is given. Each name once."""

    def __init__(self) -> None:
        folder = os.environ.get("BACKOFFICE_SCREENSHOTS", "")
        self.folder = Path(folder) if folder else None
        self.seen: set[str] = set()
        self.found: list[str] = []
        self._axe = Axe().axe_script

    def at(self, page: Page, name: str) -> None:
        """Look at the page as it stands, under this name."""
        if name in self.seen:
            return
        self.seen.add(name)
        settle(page)
        page.evaluate(self._axe)
        self._judge(page, f"{name}, light")
        self._picture(page, name)
        page.evaluate(_SET_DARK, arg=True)
        settle(page)
        self._judge(page, f"{name}, dark", OF_COLOURS)
        self._picture(page, f"{name}-dark")
        page.evaluate(_SET_DARK, arg=False)
        if self.folder is not None:
            page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
            settle(page)
            self._picture(page, f"{name}-390")
            page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})

    def _judge(self, page: Page, where: str, rules: tuple[str, ...] = ()) -> None:
        """Ask axe for what is grave: by these rules, or by all."""
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if rules:
            options["runOnly"] = {"type": "rule", "values": list(rules)}
        for violation in page.evaluate(_ASK_AXE, options):
            if violation["impact"] in GRAVE:
                places = "; ".join(
                    f"{node['target']} {node['html'][:120]} {_why(node)}"
                    for node in violation["nodes"][:4]
                )
                self.found.append(f"{where}: {violation['id']}: {violation['help']}: {places}")

    def _picture(self, page: Page, name: str) -> None:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=self.folder / f"{name}.png", full_page=True)


def _why(node: dict[str, Any]) -> str:
    return " ".join(str(node.get("failureSummary", "")).split())[:200]


_ASK_AXE = "(options) => axe.run(document, options).then((found) => found.violations)"
_SETTLED = """async () => {
    await document.fonts.ready;
    const ending = document.getAnimations().filter(
        (one) => Number.isFinite(one.effect.getComputedTiming().endTime));
    await Promise.all(ending.map((one) => one.finished.catch(() => null)));
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


def settle(page: Page) -> None:
    """Wait until fonts are there and transitions are over; what turns for ever may turn."""
    page.evaluate(_SETTLED)
