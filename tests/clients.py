"""Browsers of the tests: signed in, and what a page told its template."""

from typing import Any

from django.test import Client

from backoffice.accounts.models import User


def signed_in(user: User, *, fresh: bool = True) -> Client:
    """Return the browser of a person; not `fresh`: the last proof of who they are is long ago."""
    client = Client()
    client.force_login(user)
    if not fresh:
        session = client.session
        session["stepup_at"] = 0
        session.save()
    return client


def data(answer: Any) -> dict[str, Any]:
    """Return what the page gave its template."""
    return dict(answer.context_data)


def version_in(client: Client, url: str) -> str:
    """Return the version of the record that a dialog was opened with, which its POST takes back."""
    return str(client.get(url).context["form"]["record_version"].value())
