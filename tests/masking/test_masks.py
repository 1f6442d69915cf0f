"""What a mask shows."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.masking import masks
from backoffice.masking.values import MASK_CHAR

ALL = [masks.name, masks.email, masks.phone, masks.text, masks.date]
CLEAR = st.text(min_size=1, max_size=60).filter(lambda text: MASK_CHAR not in text)
EMAILS = st.emails()
PHONES = st.from_regex(r"\+?[0-9]{1,4}([ -][0-9]{2,4}){1,4}", fullmatch=True)
NAMES = st.lists(st.text("abcdeéñ김철수", min_size=1, max_size=9), min_size=1, max_size=6).map(
    " ".join
)


@pytest.mark.parametrize(
    ("mask", "clear", "shown"),
    [
        (masks.name, "Anna Lindqvist", "A••••• L•••••"),
        (masks.name, "김철수", "김•••••"),
        (masks.name, "J", "J•••••"),
        (masks.email, "anna@example.com", "a•••••@e•••••.com"),
        (masks.email, "a@b", "a•••••@b•••••.•••"),
        (masks.email, "anna@example.museum", "a•••••@e•••••.•••"),
        (masks.email, "no address", "••••••••"),
        (masks.phone, "+33 4 78 55 01 18", "••• ••• ••• 18"),
        (masks.phone, "112", "••• ••• ••• ••"),
        (masks.text, "anything", "••••••••"),
        (masks.date, "1990-05-14", "••••-••-••"),
    ],
)
def test_mask_of_a_value(mask: masks.Mask, clear: str, shown: str) -> None:
    assert mask(clear) == shown


@pytest.mark.parametrize("mask", ALL)
def test_mask_of_blank_is_blank(mask: masks.Mask) -> None:
    assert mask("") == ""


@pytest.mark.parametrize("mask", ALL)
@given(clear=CLEAR | EMAILS | PHONES | NAMES)
def test_mask_of_a_value_is_never_blank_and_holds_the_mask_character(
    mask: masks.Mask, clear: str
) -> None:
    assert MASK_CHAR in mask(clear)


@pytest.mark.parametrize("mask", ALL)
@given(clear=CLEAR | EMAILS | PHONES | NAMES)
def test_mask_shows_no_four_letters_or_digits_in_a_row(mask: masks.Mask, clear: str) -> None:
    for run in re.findall(r"\w{4,}", mask(clear)):
        assert run not in clear


@given(first=NAMES, second=NAMES)
def test_mask_of_a_name_does_not_tell_its_length(first: str, second: str) -> None:
    shown = [len(masks.name(text)) // 6 for text in (first, second)]
    words = [min(len(text.split()), 4) for text in (first, second)]
    assert shown == words


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("email", " Anna@Example.COM ", "anna@example.com"),
        ("phone", "+82 10-1234-5678", "0082 1012345678"),
        ("name", "Anna  LINDQVIST", "anna lindqvist"),
        ("name", "\N{FULLWIDTH LATIN CAPITAL LETTER A}nna", "anna"),
        ("text", "two  words", "two words"),
    ],
)
def test_normal_form_makes_spellings_equal(kind: str, one: str, other: str) -> None:
    assert masks.NORMAL_FORMS[kind](one) == masks.NORMAL_FORMS[kind](other)
