"""Which columns of a stranger's sheet tell of persons: by their header, and by what they hold.

Such a column is kept masked. Known are words of headers, parts of compound words, what the
synonyms of registered formats say of masked fields, and values of a shape of their own. A header
that is taken for a person's by mistake costs a rename; one that is missed would show a person to
everybody who may open the sheet. So doubt masks.
"""

import re
import unicodedata
from functools import cache
from typing import Final

from django.apps import apps
from django.conf import settings
from django.utils import translation

from backoffice.masking import masks
from backoffice.masking.fields import masked_fields
from backoffice.masking.masks import Mask
from backoffice.sheets import formats
from backoffice.sheets.kept import compounds


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD: Final = re.compile(r"[^\W_]+")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
# One of these words anywhere in a header is enough.
_WORDS: Final = {
    "email": "email", "emails": "email", "mail": "email", "correo": "email",
    "이메일": "email", "メール": "email", "邮箱": "email",
    "phone": "phone", "phones": "phone", "telephone": "phone", "tel": "phone", "mobile": "phone",
    "fax": "phone", "telefon": "phone", "telefono": "phone", "teléfono": "phone",
    "téléphone": "phone", "handy": "phone", "전화번호": "phone", "휴대폰": "phone",
    "電話番号": "phone",
    "address": "address", "addresses": "address", "addr": "address", "street": "address",
    "adresse": "address", "straße": "address", "strasse": "address", "dirección": "address",
    "주소": "address", "소재지도로명주소": "address", "소재지지번주소": "address",
    "住所": "address",
    "birthday": "birth_date", "birthdate": "birth_date", "dob": "birth_date", "born": "birth_date",
    "geburtsdatum": "birth_date", "생년월일": "birth_date",
    "iban": "bank_account", "surname": "name", "firstname": "name", "lastname": "name",
    "fullname": "name", "forename": "name", "vorname": "name", "nachname": "name",
    "prénom": "name", "apellido": "name", "이름": "name", "성명": "name", "고객명": "name",
    "氏名": "name", "姓名": "name", "ssn": "text", "passport": "text", "주민등록번호": "text",
}  # fmt: skip
# A header that consists of these words.
_WHOLE: Final = {
    "name": "name", "names": "name", "nombre": "name", "nom": "name", "e mail": "email",
    "contact": "name", "recipient": "name", "buyer": "name", "cell": "phone",
    "date of birth": "birth_date", "birth date": "birth_date", "bank account": "bank_account",
    "account number": "bank_account", "card": "card", "card number": "card", "pan": "card",
    "credit card": "card", "first": "name", "last": "name", "given": "name", "family": "name",
    "전화": "phone", "nome": "name", "titular": "name",
}  # fmt: skip
_NAMES: Final = _set("name names nome nombre nom naam nazwa")
# Whose name it is: "customer name" is a person's, "product name" is not.
_PERSONS: Final = _set(
    "first last full given family middle sur second customer client buyer contact"
    " recipient user employee person people patient guest member owner cardholder holder"
    " billing shipping ship bill to sender payer tenant student staff maiden nick"
    " contactperson cliente destinatario destinatário destinataire titulaire comprador acheteur"
    " contacto contato paciente usuario usuário empleado salarié primer primero primeiro"
)
_EMAIL: Final = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^\W\d_]{2,}")
_IBAN: Final = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
# Fourteen digits and more: thirteen are the codes of goods.
_CARD: Final = re.compile(r"[2-6]\d{13,18}")
_GAPS: Final = re.compile(r"(?<=\w)[ -](?=\w)")
# A national number: one zero and a dialling code. Keys that are filled up begin with more zeros.
_DIGITS: Final = re.compile(r"0[1-9]\d{8,9}")
# Written as only phones are: a plus, or a zero or bracket and parts.
_PHONE: Final = re.compile(r"(\+|00(?!0))\d[\d\s().\-/]{6,18}\d|\(0?\d{1,5}\)[\d\s\-/.]{4,14}\d"
                           r"|0\d{1,4}[\s\-/.]\d[\d\s\-/.]{3,14}\d")  # fmt: skip
_DATE: Final = re.compile(r"\d{1,4}([\-/.])\d{1,2}\1\d{1,4}.*")
_PHONE_DIGITS: Final = range(8, 16)
PHONES: Final = 5
"""One value of so many that look like a phone number makes a column of phone numbers."""
CARDS: Final = 4
"""As of phones, of cards and accounts. Of any long numbers one in ten has the check digit."""


def mask_by_header(header: str) -> str:
    """Return the name of the mask for a column of this header; "" for none."""
    words = _words(header)
    whole = " ".join(words)
    known = _WHOLE.get(whole) or _of_models().get(whole)
    if found := known or _of_formats(tuple(formats.everything())).get(whole):
        return found
    for word in words:
        if found := _WORDS.get(word) or compounds.mask(word):
            return found
    if _NAMES & set(words) and any(word in _PERSONS or compounds.is_person(word) for word in words):
        return "name"
    if len(words) == 1 and compounds.is_person(whole):
        return "name"
    return next((kind for said, kind in _WHOLE.items() if " " in said and said in whole), "")


def _words(header: str) -> list[str]:
    spaced = _HUMP.sub(" ", unicodedata.normalize("NFC", header))
    return [word.casefold() for word in _WORD.findall(spaced)]


@cache
def _of_formats(known: tuple[formats.Format, ...]) -> dict[str, str]:
    """Return header -> mask of what people call the masked fields of the formats."""
    found: dict[str, str] = {}
    for form in known:
        for column, mask in form.masks().items():
            kind = _known(mask.kind) if isinstance(mask, Mask) else ""
            for said in (column.key, str(column.label), *column.aliases) if kind else ():
                found.setdefault(" ".join(_words(said)), kind)
    return found


@cache
def _of_models() -> dict[str, str]:
    """Return the headers that an export of our own masked fields has, in every language."""
    found: dict[str, str] = {}
    for model in apps.get_models():
        for column in masked_fields(model):
            mask = getattr(column, "mask", None)
            kind = mask.kind if isinstance(mask, Mask) else "text"
            for said in [column.name.replace("_", " "), *_labels(column.verbose_name)]:
                found.setdefault(" ".join(_WORD.findall(said.casefold())), _known(kind))
    return {said: kind for said, kind in found.items() if kind}


def _labels(name: object) -> list[str]:
    result = []
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            result.append(str(name))
    return result


def _known(kind: str) -> str:
    """Return the mask of a kind of values. A masked note is called note everywhere: not by name."""
    plain = {"phone_number": "phone"}.get(kind, kind)
    return "" if plain in {"text", "date"} else plain


def is_email(text: str) -> bool:
    """Whether an e-mail address stands in the text."""
    return "@" in text and _EMAIL.search(text) is not None


def is_phone(text: str) -> bool:
    """Whether the text is a phone number as people write it."""
    plain = text.strip()
    if _DIGITS.fullmatch(plain):
        return True
    if plain[:1] not in "+0(" or not _PHONE.fullmatch(plain) or _DATE.fullmatch(plain):
        return False
    return sum(letter.isdigit() for letter in plain) in _PHONE_DIGITS


def is_account(text: str) -> bool:
    """Whether the text is an IBAN: its check digits are right."""
    plain = _GAPS.sub("", text).upper()
    if not _IBAN.fullmatch(plain):
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def is_card(text: str) -> bool:
    """Whether the text is the number of a payment card: its length, beginning and check digit."""
    plain = _GAPS.sub("", text)
    if not _CARD.fullmatch(plain):
        return False
    digits = [int(letter) for letter in reversed(plain)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def masked(text: str) -> str:
    """Return a cell of a file whose columns nobody knows yet; a mask of what looks personal."""
    if is_email(text):
        return str(masks.email(text))
    if is_account(text):
        return str(masks.bank_account(text))
    if is_card(text):
        return str(masks.card(text))
    return str(masks.phone(text)) if is_phone(text) else text
