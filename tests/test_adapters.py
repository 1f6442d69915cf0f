"""Adapters: one settings table, instances, and system checks."""

from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from pytest_django import Settings

from backoffice.adapters import Adapters, UnknownAliasError


class Printer:
    """A kind of adapter of this test."""

    def __init__(self, colour: str = "black") -> None:
        if not colour:
            raise ValueError("colour is empty")
        self.colour = colour

    def check(self) -> list[CheckMessage]:
        return [CheckWarning("low ink", id="printer.W001")] if self.colour == "pink" else []


class Oven:
    """Another kind."""


def table(backend: str = f"{__name__}.Printer", **options: Any) -> dict[str, Any]:
    return {"office": {"BACKEND": backend, "OPTIONS": options}}


@pytest.fixture
def printers() -> Adapters[Printer]:
    return Adapters("PRINTERS", Printer)


def test_entry_gives_one_instance_with_its_options(
    printers: Adapters[Printer], settings: Settings
) -> None:
    settings.PRINTERS = table(colour="red")
    assert printers["office"].colour == "red"
    assert printers["office"] is printers["office"]
    assert list(printers) == ["office"]
    assert printers.check() == []


def test_changed_entry_gives_a_new_instance(
    printers: Adapters[Printer], settings: Settings
) -> None:
    settings.PRINTERS = table(colour="red")
    first = printers["office"]
    settings.PRINTERS = table(colour="blue")
    assert (first.colour, printers["office"].colour) == ("red", "blue")


def test_unknown_alias_is_an_error(printers: Adapters[Printer], settings: Settings) -> None:
    settings.PRINTERS = table()
    assert "home" not in printers
    with pytest.raises(UnknownAliasError):
        printers["home"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([], "adapters.E001"),
        ({"office": {}}, "adapters.E001"),
        (table("nowhere.Printer"), "adapters.E002"),
        (table(f"{__name__}.Oven"), "adapters.E002"),
        (table(size=3), "adapters.E003"),
        (table(colour=""), "adapters.E003"),
        (table(colour="pink"), "printer.W001"),
    ],
)
def test_check_names_what_is_wrong(
    printers: Adapters[Printer], settings: Settings, value: object, found: str
) -> None:
    settings.PRINTERS = value
    assert [message.id for message in printers.check()] == [found]
