"""Bank transfer and cash: people move the money, and the machine waits for their word.

There is nobody to ask and nothing to send. A refund is PENDING from the start; two people end it
with evidence (`payments.services`). The only independent witness is the statement of the bank,
read by `read_settlement`; its columns are ours, see docs/payments.md.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import BinaryIO, cast

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.money import Money
from payments.gateways.base import (
    BadSettlementError,
    Caps,
    Gateway,
    Health,
    MovementKind,
    NotOfferedError,
    Outcome,
    PaymentSnapshot,
    RefundCommand,
    RefundResult,
    SettlementRow,
)

NEEDED = ("date", "reference", "amount", "currency")
MORE = ("payment", "number", "kind", "fee")
MAX_ROWS = 100_000
MAX_FILE = 32 * 1024 * 1024
"""Bytes."""
MAX_TEXT = 80
"""Characters of a reference; longer ones are none of ours."""
AMOUNT = re.compile(r"-?[0-9]{1,13}(\.[0-9]{1,4})?")


class Manual(Gateway):
    """A till or a bank account. `label` names it where a shop has more than one."""

    caps = Caps(
        partial=True,
        key_ttl=timedelta(days=36_500),  # nothing is sent, so nothing can happen twice
        lookup="none",
        settle=timedelta(0),
        refund_sync=False,
        by_hand=True,
    )
    timeout = timedelta(0)  # nothing is sent

    def __init__(self, label: str = "") -> None:
        self.label = label or cast("str", gettext_lazy("Bank transfer or cash"))

    def fetch_payment(self, reference: str) -> PaymentSnapshot:
        """Raise NotOfferedError: there is nobody to ask."""
        raise NotOfferedError

    def refund(self, command: RefundCommand) -> RefundResult:
        """Leave it to people."""
        message = _("Waits for a person to transfer %(amount)s") % {"amount": command.amount}
        return RefundResult(Outcome.PENDING, amount=command.amount, message=message)

    def find_refund(self, command: RefundCommand) -> RefundResult | None:
        """Raise NotOfferedError: there is no list."""
        raise NotOfferedError

    def healthcheck(self) -> Health:
        """Return that there is nothing that could be down."""
        return Health(ok=True, message="", checked_at=timezone.now())

    def read_settlement(self, file: BinaryIO) -> Iterator[SettlementRow]:
        """Return the movements of a bank statement (csv with a head, comma or semicolon)."""
        for place, row in enumerate(_rows(file), start=2):
            yield _movement(row, _("row %(number)s") % {"number": place})


def _rows(file: BinaryIO) -> Iterator[Mapping[str, str]]:
    raw = file.read(MAX_FILE + 1)
    if len(raw) > MAX_FILE:
        raise BadSettlementError(_("The file is larger than %(mb)s MB.") % {"mb": MAX_FILE >> 20})
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadSettlementError(_("The file is not in UTF-8.")) from None
    # Where the decimal sign is a comma, spreadsheets write semicolons between columns.
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        _check_head(reader.fieldnames or ())
        for number, row in enumerate(reader):
            if number >= MAX_ROWS:
                raise BadSettlementError(_("More than %(rows)s rows.") % {"rows": MAX_ROWS})
            yield _plain(row, decimal_comma=delimiter == ";")
    except csv.Error as error:
        where = _("row %(number)s") % {"number": reader.line_num}
        raise BadSettlementError(f"{where}: {error}") from None


def _plain(row: Mapping[str, str | None], *, decimal_comma: bool) -> dict[str, str]:
    plain = {name: (row.get(name) or "").strip() for name in NEEDED + MORE}
    if decimal_comma:
        plain |= {name: plain[name].replace(",", ".") for name in ("amount", "fee")}
    return plain


def _check_head(names: Sequence[str]) -> None:
    missing = [name for name in NEEDED if name not in names]
    if missing:
        text = _("row 1: the column %(names)s is missing.") % {"names": ", ".join(missing)}
        raise BadSettlementError(text)
    if len(set(names)) < len(names):
        raise BadSettlementError(_("row 1: a column stands there twice."))


def _movement(row: Mapping[str, str], place: str) -> SettlementRow:
    currency = row["currency"]
    amount = _money(row, "amount", currency, place)
    fee = _money(row, "fee", currency, place) if row["fee"] else amount * 0
    if fee.minor < 0:
        raise BadSettlementError(f"{place}, fee: " + _("a fee is zero or more."))
    return SettlementRow(
        kind=_kind(row, amount, place),
        reference=_text(row, "reference", place, needed=True),
        payment_reference=_text(row, "payment", place),
        number=_text(row, "number", place),
        amount=amount,
        fee=fee,
        occurred_on=_day(row, place),
        place=place,
    )


def _money(row: Mapping[str, str], column: str, currency: str, place: str) -> Money:
    if not AMOUNT.fullmatch(row[column]):
        text = _("an amount is wanted as -12.50, without thousands separators.")
        raise BadSettlementError(f"{place}, {column}: {text}")
    try:
        return Money.of(row[column], currency)
    except ValueError as error:
        raise BadSettlementError(f"{place}, {column}: {error}") from None


def _kind(row: Mapping[str, str], amount: Money, place: str) -> MovementKind:
    """Return the kind as it stands there, else by the sign: money in, money out."""
    if not row["kind"]:
        return MovementKind.REFUND if amount.minor < 0 else MovementKind.CAPTURE
    try:
        return MovementKind(row["kind"])
    except ValueError:
        kinds = ", ".join(MovementKind)
        text = _("“%(kind)s” is none of %(kinds)s.") % {"kind": row["kind"][:20], "kinds": kinds}
        raise BadSettlementError(f"{place}, kind: {text}") from None


def _text(row: Mapping[str, str], column: str, place: str, *, needed: bool = False) -> str:
    text = row[column]
    if len(text) > MAX_TEXT or (needed and not text):
        wanted = _("1 to %(most)s characters are wanted.") % {"most": MAX_TEXT}
        raise BadSettlementError(f"{place}, {column}: {wanted}")
    return text


def _day(row: Mapping[str, str], place: str) -> date:
    try:
        return date.fromisoformat(row["date"])
    except ValueError:
        text = _("a day is wanted as 2026-11-21.")
        raise BadSettlementError(f"{place}, date: {text}") from None
