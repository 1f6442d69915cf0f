"""Visiting an address as a person, and what may not come of it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from backoffice.accounts.models import User
from tests.canaries import Canary, leaks
from tests.walker import state

SERVER_ERROR = 500


@dataclass(frozen=True)
class Visit:
    """One request: where, with which query or body; `label` tells visits of one address apart."""

    address: str
    url: str
    method: str = "GET"
    data: Mapping[str, Any] = field(default_factory=dict)
    json: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.address} {self.url}"


@dataclass
class Answer:
    """What came back, whole."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8", errors="replace")


class Walker:
    """One person (None: nobody signed in) who goes wherever they are sent.

    `findings` gathers a line for each thing that must not be. Each POST is undone, so that every
    visit meets the same world; before that the tables it wrote are searched for `secrets`, which
    lie nowhere but in their own columns.
    """

    def __init__(
        self,
        name: str,
        user: User | None,
        canaries: Iterable[Canary],
        secrets: Iterable[Canary] = (),
    ) -> None:
        self.name = name
        self.user = user
        self.canaries = tuple(canaries)
        self.secrets = tuple(secrets)
        self.findings: list[str] = []
        self.visited: list[tuple[Visit, int]] = []
        # A made-up request id could hold a canary's digits by chance.
        self.client = Client(
            raise_request_exception=False, headers={"X-Request-ID": "request-of-the-walk"}
        )
        self._sign_in()

    def go(self, visit: Visit) -> Answer:
        """Send the request, note what is wrong with the answer, and return it."""
        answer = self._send(visit) if visit.method == "GET" else self._send_and_undo(visit)
        self.visited.append((visit, answer.status))
        self._judge(visit, answer)
        return answer

    def note(self, visit: Visit, problem: str) -> None:
        """Add a finding."""
        self.findings.append(f"{self.name}: {visit}: {problem}")

    def _sign_in(self) -> None:
        self.client.cookies.clear()
        if self.user is not None:
            self.client.force_login(self.user)
        self._session = self._session_key()

    def _session_key(self) -> str:
        cookie = self.client.cookies.get("sessionid")
        return cookie.value if cookie is not None else ""

    def _send_and_undo(self, visit: Visit) -> Answer:
        with undone(), state.writes() as written:
            answer = self._send(visit)
            for leak in state.left_in(written, self.secrets):
                self.note(visit, f"{answer.status} leaves {leak}")
        if self._session_key() != self._session:  # the visit signed them out, or in anew
            self._sign_in()
        return answer

    def _send(self, visit: Visit) -> Answer:
        if visit.method == "GET":
            response = self.client.get(visit.url, dict(visit.data))
        elif visit.json:
            call = getattr(self.client, visit.method.lower())
            response = call(visit.url, data=dict(visit.data), content_type="application/json")
        else:
            response = self.client.post(visit.url, dict(visit.data))
        return read(response)

    def _judge(self, visit: Visit, answer: Answer) -> None:
        if answer.status >= SERVER_ERROR:
            self.note(visit, f"answered {answer.status}")
        for problem in unheaded(answer.headers):
            self.note(visit, problem)
        head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        for part, where in ((answer.content, "the answer"), (head, "the head")):
            for leak in leaks(part, self.canaries, where):
                self.note(visit, f"{answer.status} leaks {leak}")


# Header -> what has to stand in it, in every answer.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "script-src 'self'; style-src 'self'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=()",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_UNSAFE = ("unsafe-inline", "unsafe-eval", "unsafe-hashes", "*", "http:", "https:")


def unheaded(headers: Mapping[str, str]) -> list[str]:
    """Return a line for each rule of the head that an answer breaks."""
    found = [
        f"{name} is {headers.get(name, 'not set')}"
        for name, wanted in HEADERS.items()
        if wanted not in headers.get(name, "")
    ]
    referrer = headers.get("Referrer-Policy", "not set")
    if referrer not in {"same-origin", "no-referrer"}:  # what reveals says less than the rest
        found.append(f"Referrer-Policy is {referrer}")
    policy = headers.get("Content-Security-Policy", "").split("; report-uri")[0]
    return found + [f"the policy holds {word}" for word in _UNSAFE if word in policy]


@contextmanager
def undone() -> Iterator[None]:
    """Take back what the block writes; inside, code may ask for a durable transaction."""
    outer = transaction.atomic()
    outer._from_testcase = True  # type: ignore[attr-defined]  # as Django's own TestCase says it
    with outer:
        yield
        transaction.set_rollback(True)


def read(response: Any) -> Answer:
    """Return status, head and whole body of a response, also of a stream."""
    if getattr(response, "streaming", False):
        # The test client closes it at the end of the stream.
        body = b"".join(response.streaming_content)
    else:
        assert isinstance(response, HttpResponse)
        body = response.content
    head = dict(response.items())
    head["Set-Cookie"] = str(response.cookies)
    return Answer(response.status_code, head, body)
