"""What looks at pages is tested too: plant faults, see each reported."""

import pytest
from playwright.sync_api import Browser

from tests.browser.looks import Complaints, Looks

pytestmark = pytest.mark.browser

FAULTY = """<!doctype html><html lang="en"><title>Faulty</title><main><h1>Faulty</h1>
<p style="color:#ccc;background:#fff">Nobody can read this</p><input>
<script>console.error("planted"); missing();</script></main></html>"""

FAULTY_IN_THE_DARK = """<!doctype html><html lang="en"><title>Faulty</title><main><h1>Faulty</h1>
<style>.dark p { color: #ccc; background: #fff }</style><p>Nobody can read this in the dark</p>
</main></html>"""


def test_faults_of_a_page_are_reported(chromium: Browser) -> None:
    page = chromium.new_page()
    complaints, looks = Complaints(page), Looks()
    page.set_content(FAULTY)
    looks.at(page, "faulty")
    page.close()
    rules = {line.split(": ")[1] for line in looks.found}
    assert rules == {"color-contrast", "label"}
    assert complaints.found == ["console: planted", "script: missing is not defined"]


def test_refused_request_is_reported_unless_expected(chromium: Browser) -> None:
    page = chromium.new_page()
    complaints = Complaints(page)
    page.route("**/*", lambda route: route.fulfill(status=403, body="no"))
    with complaints.expecting(403):
        page.goto("http://127.0.0.1:9/expected")
    page.goto("http://127.0.0.1:9/unexpected")
    page.close()
    assert complaints.found == ["request: 403 http://127.0.0.1:9/unexpected"]


def test_faults_of_the_dark_alone_are_reported(chromium: Browser) -> None:
    page = chromium.new_page()
    page.set_content(FAULTY_IN_THE_DARK)
    looks = Looks()
    looks.at(page, "faulty")
    page.close()
    assert [line.split(": ")[:2] for line in looks.found] == [["faulty, dark", "color-contrast"]]
