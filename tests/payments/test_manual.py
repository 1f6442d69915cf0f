"""Bank transfer and cash: nothing is sent, and the statement of the bank is read."""

from collections.abc import Iterable
from datetime import date
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest

from backoffice.money import Money
from payments.gateways import gateways, manual
from payments.gateways.base import (
    BadSettlementError,
    MovementKind,
    NotOfferedError,
    Outcome,
    RefundCommand,
    SettlementRow,
)
from payments.gateways.manual import Manual
from tests.contracts.gateway import GatewayContract

RECORDED = Path(__file__).resolve().parents[2] / "fixtures" / "gateways" / "manual"
COMMAND = RefundCommand(
    number=str(uuid4()), key=uuid4(), payment_reference="till-1", amount=Money(1_275, "GBP")
)
HEAD = "date,reference,amount,currency,payment,number,kind,fee"


class TestManual(GatewayContract):
    gateway = "manual"
    settlement_file = RECORDED / "statement.csv"
    amount_column = "amount"
    settlement_sums = {
        MovementKind.CAPTURE: (1, 12_000),
        MovementKind.REFUND: (1, -1_275),
        MovementKind.REVERSAL: (1, 1_275),
        MovementKind.FEE: (1, -400),
    }
    settlement_fees = 35


def read(*lines: str, encoding: str = "utf-8") -> list[SettlementRow]:
    return list(Manual().read_settlement(BytesIO("\r\n".join(lines).encode(encoding))))


def refused(*lines: str) -> str:
    with pytest.raises(BadSettlementError) as error:
        read(*lines)
    return str(error.value)


def test_refund_waits_for_people_and_nothing_can_be_asked() -> None:
    till = gateways["manual"]
    assert (till.caps.by_hand, till.caps.lookup, till.caps.refund_sync) == (True, "none", False)
    for _again in range(2):
        result = till.refund(COMMAND)
        assert (result.outcome, result.amount) == (Outcome.PENDING, COMMAND.amount)
        assert "£12.75" in result.message
    for question in (lambda: till.find_refund(COMMAND), lambda: till.fetch_payment("till-1")):
        with pytest.raises(NotOfferedError):
            question()
    assert till.healthcheck().ok


def test_statement_is_read_row_by_row() -> None:
    rows = read(
        HEAD,
        "2026-11-20,BANK-1,120.00,GBP,till-1,,,",
        "2026-11-21,BANK-2,-12.75,GBP,till-1,5b6e,,0.35",
        "2026-11-21,BANK-3,-4.00,GBP,,,fee,",
    )
    assert rows[1] == SettlementRow(
        kind=MovementKind.REFUND,
        reference="BANK-2",
        payment_reference="till-1",
        number="5b6e",
        amount=Money(-1_275, "GBP"),
        fee=Money(35, "GBP"),
        occurred_on=date(2026, 11, 21),
        place="row 3",
    )
    assert [row.kind for row in rows] == [
        MovementKind.CAPTURE,
        MovementKind.REFUND,
        MovementKind.FEE,
    ]


def test_statement_of_a_spreadsheet_with_decimal_commas() -> None:
    rows = read(
        "\ufeffdate;reference;amount;currency;text of the bank",
        "2026-11-20;B-1;1234,5;EUR;anything",
        "2026-11-20;B-2;-1500;JPY;",
        "2026-11-20;B-3;1,234;BHD;",
    )
    assert [row.amount for row in rows] == [
        Money(123_450, "EUR"),
        Money(-1_500, "JPY"),
        Money(1_234, "BHD"),
    ]


BAD: Iterable[tuple[str, str]] = (
    ("2026-11-31,B,1.00,GBP,,,,", "row 2, date"),
    ("2026-11-20,,1.00,GBP,,,,", "row 2, reference"),
    (f"2026-11-20,{'x' * 81},1.00,GBP,,,,", "row 2, reference"),
    ("2026-11-20,B,1.005,GBP,,,,", "row 2, amount"),
    ("2026-11-20,B,1.5,JPY,,,,", "row 2, amount"),
    ('2026-11-20,B,"1,234",GBP,,,,', "row 2, amount"),
    ("2026-11-20,B,1e9,GBP,,,,", "row 2, amount"),
    ("2026-11-20,B,NaN,GBP,,,,", "row 2, amount"),
    ("2026-11-20,B,,GBP,,,,", "row 2, amount"),
    ("2026-11-20,B,1.00,gbp,,,,", "row 2, amount"),
    ("2026-11-20,B,1.00,GBP,,,,-0.10", "row 2, fee"),
    ("2026-11-20,B,1.00,GBP,,,gift,", "row 2, kind"),
    ("2026-11-20,B,1.00", "row 2, amount"),
)


@pytest.mark.parametrize(("line", "place"), BAD)
def test_bad_row_is_named(line: str, place: str) -> None:
    assert refused(HEAD, line).startswith(place)


def test_bad_file_is_refused_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "amount, currency" in refused("date,reference")
    assert "twice" in refused("date,reference,amount,currency,amount")
    assert "row 1" in refused("")
    with pytest.raises(BadSettlementError, match="UTF-8"):
        read("date,reference,amount,currency", "2026-11-20,é,1,GBP", encoding="latin-1")
    rows = ["2026-11-20,B,1,GBP"] * 3
    monkeypatch.setattr(manual, "MAX_ROWS", 3)
    assert len(read("date,reference,amount,currency", *rows)) == 3
    monkeypatch.setattr(manual, "MAX_ROWS", 2)
    assert "2" in refused("date,reference,amount,currency", *rows)
    monkeypatch.setattr(manual, "MAX_FILE", 80)
    assert "larger" in refused("date,reference,amount,currency", *rows)
