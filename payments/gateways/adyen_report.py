"""Adyen's settlement detail report (csv).

Columns, kinds and sample rows are those of
https://docs.adyen.com/reporting/settlement-reconciliation/transaction-level/settlement-details-report
and of its older form, https://docs.adyen.com/reporting/settlement-detail-report. Gross columns (GC)
stand in the currency of the payment, net columns (NC) in that of the payout, both in major units.
What Adyen kept is gross less net where both are of one currency. Else the costs are in another
currency than the movement, and become a row of their own.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import BinaryIO

from backoffice.money import Money
from payments.gateways.base import BadSettlementError, MovementKind, SettlementRow

COSTS = ("Commission (NC)", "Markup (NC)", "Scheme Fees (NC)", "Interchange (NC)")
GROSS = ("Gross Currency", "Gross Debit (GC)", "Gross Credit (GC)")
NET = ("Net Currency", "Net Debit (NC)", "Net Credit (NC)")
NAMES = ("Merchant Account", "Psp Reference", "Type", "Modification Reference", "Creation Date")
NEEDED = (*NAMES, *GROSS, *NET, *COSTS)
OURS = "Modification Merchant Reference"
"""Our reference of a refund; a column that an account may have switched off."""
KINDS = {
    "Settled": MovementKind.CAPTURE,
    "Refunded": MovementKind.REFUND,
    "RefundedReversed": MovementKind.REVERSAL,
    "Chargeback": MovementKind.CHARGEBACK,
    "SecondChargeback": MovementKind.CHARGEBACK,
    "ChargebackReversed": MovementKind.CHARGEBACK_REVERSED,
    "MerchantPayout": MovementKind.PAYOUT,
    # What belongs to no payment: charges, and corrections of the balance.
    "Fee": MovementKind.FEE,
    "PaymentCost": MovementKind.FEE,
    "MiscCosts": MovementKind.FEE,
    "InvoiceDeduction": MovementKind.FEE,
    "DepositCorrection": MovementKind.FEE,
    "Balancetransfer": MovementKind.FEE,
}
AMOUNT = re.compile(r"-?[0-9]{1,13}(\.[0-9]{1,8})?")
MAX_FILE = 64 * 1024 * 1024
"""Bytes."""
MAX_ROWS = 500_000


def rows_of(file: BinaryIO, account: str) -> Iterator[SettlementRow]:
    """Return the movements of one merchant account; a report may hold several.

    Raises BadSettlementError, which names row and column; a kind that is not known is an error too,
    since a movement that is left out would be missed by nobody.
    """
    for place, row in _table(file):
        if row["Merchant Account"] == account:
            yield from _movements(row, place)


def _table(file: BinaryIO) -> Iterator[tuple[str, Mapping[str, str]]]:
    raw = file.read(MAX_FILE + 1)
    if len(raw) > MAX_FILE:
        raise BadSettlementError(f"The file is larger than {MAX_FILE >> 20} MB")
    try:
        reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        _check_head(reader.fieldnames or ())
        for number, row in enumerate(reader, start=2):
            if number > MAX_ROWS:
                raise BadSettlementError(f"More than {MAX_ROWS} rows")
            plain = {str(name): str(value or "").strip() for name, value in row.items() if name}
            yield f"row {number}", plain
    except UnicodeDecodeError:
        raise BadSettlementError("The file is not in UTF-8") from None
    except csv.Error as error:
        raise BadSettlementError(f"row {reader.line_num}: {error}") from None


def _check_head(names: Sequence[str]) -> None:
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise BadSettlementError(f"row 1: the column {', '.join(missing)} is missing")


def _movements(row: Mapping[str, str], place: str) -> Iterator[SettlementRow]:
    kind = KINDS.get(row["Type"])
    if kind is None:
        raise BadSettlementError(f"{place}, Type: {row['Type'][:40]!r} is not known")
    gross = _signed(row, GROSS, place)
    net = _signed(row, NET, place)
    amount = gross if gross is not None else net
    # Only what belongs to no payment may stand in the currency of the payout alone.
    if amount is None or (gross is None and kind not in {MovementKind.FEE, MovementKind.PAYOUT}):
        raise BadSettlementError(f"{place}, {GROSS[1]} or {GROSS[2]}: no amount")
    day, cost = _day(row, place), _cost(row, amount, net, place)
    fee = cost if cost.currency == amount.currency and cost.minor > 0 else amount * 0
    reference = row["Modification Reference"] or row["Psp Reference"]
    payment, number = row["Psp Reference"], row.get(OURS, "")
    yield SettlementRow(kind, reference, payment, number, amount, fee, day, place)
    if cost and not fee:
        yield SettlementRow(
            MovementKind.FEE, f"{reference}:fee", payment, number, -cost, cost * 0, day, place
        )


def _cost(row: Mapping[str, str], amount: Money, net: Money | None, place: str) -> Money:
    """Return what Adyen kept for the movement; less than nothing where it gave something back."""
    if net is None:
        return amount * 0
    if net.currency == amount.currency:
        return amount - net
    parts = [_money(row, column, net.currency, place) for column in COSTS]
    return sum((part for part in parts if part is not None), net * 0)


def _signed(row: Mapping[str, str], columns: tuple[str, str, str], place: str) -> Money | None:
    """Return credit as it is and debit below zero; None where neither is filled in."""
    currency, debit, credit = columns
    out, came = (_money(row, column, row[currency], place) for column in (debit, credit))
    if out is not None and came is not None:
        raise BadSettlementError(f"{place}, {debit} and {credit}: both are filled in")
    return -out if out is not None else came


def _money(row: Mapping[str, str], column: str, currency: str, place: str) -> Money | None:
    if not row[column]:
        return None
    if not AMOUNT.fullmatch(row[column]):
        raise BadSettlementError(f"{place}, {column}: {row[column][:20]!r} is no amount")
    try:
        return Money.of(row[column], currency)
    except ValueError as error:
        raise BadSettlementError(f"{place}, {column}: {error}") from None


def _day(row: Mapping[str, str], place: str) -> date:
    try:
        return date.fromisoformat(row["Creation Date"][:10])
    except ValueError:
        raise BadSettlementError(f"{place}, Creation Date: no day") from None
