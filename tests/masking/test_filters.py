"""A masked value in a template is its mask, whatever filter stands behind it."""

import datetime as dt

import pytest
from django.template import Context, Template

from backoffice.masking.fields import MaskedDateField
from backoffice.masking.filters import NAMES
from tests.masking.conftest import BORN, leaks

MASK = "••••-••-••"
FILTERS = [
    "", "|date", '|date:"Y"', '|date:"SHORT_DATE_FORMAT"', '|time:"H:i"', "|timesince",
    "|timeuntil", "|floatformat", "|floatformat:2", "|intcomma", "|localize", "|unlocalize",
    "|naturalday", "|naturaltime", "|ordinal", "|default:'-'", "|default_if_none:'-'",
    '|stringformat:"s"', '|stringformat:"d"', "|filesizeformat", "|escape", "|striptags",
]  # fmt: skip


def render(expression: str, value: object) -> str:
    text = "{% load humanize l10n %}{{ value" + expression + " }}"
    return Template(text).render(Context({"value": value}))


@pytest.mark.parametrize("expression", FILTERS)
def test_filter_shows_the_mask(expression: str) -> None:
    assert render(expression, MaskedDateField().seal(BORN)) == MASK


@pytest.mark.parametrize(
    "expression",
    ["|yesno", "|slice:':4'", "|upper", "|length", "|make_list", "|pprint", "|add:'1'"],
)
def test_filter_shows_nothing_of_the_value(expression: str) -> None:
    shown = render(expression, MaskedDateField().seal(BORN))
    assert (bool(shown), leaks(shown)) == (True, [])


def test_plain_values_are_shown_as_ever() -> None:
    assert render('|date:"Y"', dt.date(1990, 5, 14)) == "1990"
    assert render("|floatformat:1", 2.34) == "2.3"
    assert render('|date:"Y"', "no date") == ""
    assert len(NAMES) == len(set(NAMES))
