"""What a mask shows."""

import re
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from backoffice.masking import checks, masks, rules
from backoffice.masking.documents import MaskedJSONField
from backoffice.masking.fields import (
    MaskedCharField,
    MaskedPhoneField,
    MaskedTextField,
    validate_phone,
)
from backoffice.masking.values import MASK_CHAR, is_mask

ALL = [
    masks.name, masks.email, masks.phone, masks.text, masks.date,
    masks.address, masks.birth_date, masks.bank_account, masks.card,
]  # fmt: skip
# Those that show less than four characters side by side.
SHORT = [mask for mask in ALL if mask.kind not in {"address", "bank_account", "card"}]
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


@pytest.mark.parametrize("mask", SHORT)
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


KOREAN = dict.fromkeys(["name", "email", "phone", "address", "birth_date", "bank_account"], "kr")


@pytest.mark.parametrize(
    ("mask", "clear", "european", "korean"),
    [
        (masks.name, "김철수", "김•••••", "김•수"),
        (masks.name, "남궁민수", "남•••••", "남•수"),
        (masks.name, "김철", "김•••••", "김•"),
        (masks.name, "Anna Lind", "A••••• L•••••", "A••••• L•••••"),
        (masks.email, "chulsoo@naver.com", "c•••••@n•••••.com", "ch•••••@naver.com"),
        (masks.email, "kim@naver.com", "k•••••@n•••••.com", "k•••••@naver.com"),
        (masks.phone, "+82 10-5550-0199", "••• ••• ••• 99", "010-••••-0199"),
        (masks.phone, "02-555-0199", "••• ••• ••• 99", "02-••••-0199"),
        (masks.phone, "+33 4 78 55 01 18", "••• ••• ••• 18", "••• ••• ••• 18"),
        (masks.address, "서울특별시 강남구 테헤란로 123", "••••••••", "서울특별시 강남구 •••••"),
        (masks.address, "5 Rue Pasteur, 69007 Lyon", "••••••••", "••••••••"),
        (masks.address, "5 Rue Pasteur, 69007, Lyon", "•••••, Lyon", "••••••••"),
        (masks.birth_date, "1990-05-14", "••••-••-••", "1990-••-••"),
        (masks.bank_account, "DE89 3704 0044 0532 0130 00", "DE•• •••• 3000", "893-•••-••••00"),
        (masks.bank_account, "110-234-567890", "•••••••• 90", "110-•••-••••90"),
        (masks.bank_account, "12345", "••••••••", "••••••••"),
    ],
)
def test_mask_by_locale(
    settings: Settings, mask: masks.Mask, clear: str, european: str, korean: str
) -> None:
    assert mask(clear) == european
    settings.BACKOFFICE_MASKS = KOREAN
    assert mask(clear) == korean


@pytest.mark.parametrize(
    ("rule", "clear", "shown"),
    [
        ("eu", "4111 1111 1111 1234", "•••• •••• •••• 1234"),
        ("bin", "4111-1111-1111-1234", "4111 11•• •••• 1234"),
        ("bin", "411111", "•••• •••• •••• ••••"),
        ("last4", "378282246310005", "•••• •••• •••• 0005"),
    ],
)
def test_card_shows_bin_and_last_four_at_most(
    settings: Settings, rule: str, clear: str, shown: str
) -> None:
    settings.BACKOFFICE_MASKS = {"card": rule}
    assert masks.card(clear) == shown


def initials(clear: str) -> str:
    return clear[0] + MASK_CHAR


def careless(clear: str) -> str:
    return clear


def test_rule_of_others_is_used_and_hides_where_it_forgets(settings: Settings) -> None:
    settings.BACKOFFICE_MASKS = {"name": f"{__name__}.initials", "phone": f"{__name__}.careless"}
    assert (masks.name("Anna"), masks.phone("+33 4 78 55")) == ("A•", "••••••••")


# What forgets to hide: all of it, the end of it, behind a bullet of a list, by giving nothing.
FORGETFUL: list[Callable[[str], str]] = [
    str,
    careless,
    lambda clear: clear[:3],
    lambda clear: f"{clear} {MASK_CHAR}{MASK_CHAR}",
    lambda clear: f"{MASK_CHAR} {clear[:3]}",
    lambda _clear: "",
    lambda _clear: None,  # type: ignore[list-item,return-value]
]


@pytest.mark.parametrize("rule", FORGETFUL)
def test_mask_of_ones_own_that_hides_nothing_hides_all(rule: Callable[[str], str]) -> None:
    for mask in (masks.Mask("text", rule), rule):
        for field in (MaskedCharField(mask=mask), MaskedTextField(mask=mask)):
            shown = [
                field.from_db_value("Anna Lindqvist", None, None),
                field.seal("Anna Lindqvist"),
            ]
            assert [str(value) for value in shown] == ["••••••••"] * 2
            assert field.is_mask(str(shown[0]))  # so what comes back overwrites nothing
        document = MaskedJSONField(masks={"name": mask}).seal({"name": "Anna Lindqvist"})
        assert str(document["name"]) == "••••••••"


def test_mask_of_ones_own_that_hides_is_shown() -> None:
    mask = masks.Mask("name", initials)
    assert mask == masks.Mask("name", initials)
    assert str(MaskedCharField(mask=mask).from_db_value("Anna", None, None)) == "A•"
    assert str(MaskedCharField(mask=initials).from_db_value("Anna", None, None)) == "A•"
    assert masks.hide_of(masks.text) is rules.hide_text  # ours cost nothing more


@pytest.mark.parametrize(
    "chosen",
    [
        {"name": "fr"},
        {"colour": "eu"},
        {"text": "eu"},
        {"name": "no.such.rule"},
        {"phone": "re.compile"},
    ],
)
def test_rule_that_is_not_there_is_an_error_at_start(
    settings: Settings, chosen: dict[str, str]
) -> None:
    settings.BACKOFFICE_MASKS = chosen
    assert [str(found.id) for found in checks.check_masks(None)] == ["masking.E007"]
    settings.BACKOFFICE_MASKS = KOREAN
    assert checks.check_masks(None) == []


@pytest.mark.parametrize(
    "text",
    [
        "• bread\n• milk",
        "To do:\n  • call back\n  • send it\n",
        "open • closed",
        "1 • 2",
        "• a •  b",
    ],
)
def test_bullets_of_a_list_are_no_mask(text: str) -> None:
    assert not is_mask(text, long=True)
    assert is_mask(text)


@given(
    st.sampled_from(["••••••••", "A•••••", "•••••, Lyon", "••••-••-••", "김•수", "김•"]),
    st.integers(0, 8),
    st.sampled_from(["", "x", " ", "new text ", "\n"]),
)
def test_altered_mask_is_a_mask_in_long_text(mask: str, place: int, typed: str) -> None:
    for altered in (typed + mask, mask + typed, typed + mask + typed, mask[:place] + mask[place:]):
        assert is_mask(altered, long=True)
    if place and typed.strip():
        assert is_mask(mask[:place] + typed + mask[place:], long=True)


@pytest.mark.parametrize(
    ("spelled", "country", "normal"),
    [
        ("010-5550-0199", "82", "821055500199"),
        ("+82 10 5550 0199", "82", "821055500199"),
        ("0082 10 5550 0199", "82", "821055500199"),
        ("010-5550-0199", "", "01055500199"),
    ],
)
def test_phone_number_is_compared_with_its_country(
    settings: Settings, spelled: str, country: str, normal: str
) -> None:
    settings.BACKOFFICE_PHONE_COUNTRY = country
    assert masks.NORMAL_FORMS["phone_number"](spelled) == normal


@pytest.mark.parametrize("number", ["+82 10-5550-0199", "(02) 555.0199", "112/34", "0105550199"])
def test_phone_number_is_taken(number: str) -> None:
    validate_phone(number)


@pytest.mark.parametrize("number", ["", "112", "call me", "+82 10 a", "1" * 16, "++82 105550"])
def test_what_is_no_phone_number_is_refused(number: str) -> None:
    with pytest.raises(ValidationError):
        MaskedPhoneField().clean(MaskedPhoneField().seal(number), None)
