"""The contract of settlements: signs, sums, fees, kinds; a bad file names row and column."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable

import pytest

from payments.gateways.base import (
    BadSettlementError,
    Gateway,
    GatewayUnavailableError,
    MovementKind,
    NotOfferedError,
    SettlementRow,
)
from tests.contracts.case import GatewayCase
from tests.contracts.peers import Peer, Said

INCOMING = {MovementKind.CAPTURE, MovementKind.REVERSAL, MovementKind.CHARGEBACK_REVERSED}


class SettlementContract(GatewayCase):
    """`settlement` and `read_settlement`."""

    def adds_up(self, rows: Iterable[SettlementRow]) -> None:
        rows = list(rows)
        sums: dict[MovementKind, list[int]] = defaultdict(list)
        for row in rows:
            sums[row.kind].append(row.amount.minor)
            incoming = row.kind in INCOMING
            assert (row.amount.minor > 0) is incoming or row.kind is MovementKind.FEE, row
            assert row.fee.minor >= 0, row
            assert row.fee.currency == row.amount.currency, row
            assert row.reference, row
            assert row.place, row
        assert {kind: (len(a), sum(a)) for kind, a in sums.items()} == self.settlement_sums
        assert sum(row.fee.minor for row in rows) == self.settlement_fees
        assert len({(row.kind, row.reference) for row in rows}) == len(rows)
        refunds = [row for row in rows if row.kind is MovementKind.REFUND]
        assert refunds
        assert all(row.payment_reference or row.number for row in refunds)

    def reads_files(self, adapter: Gateway) -> bool:
        """Say whether files are read; where not, hold the adapter to refusing them."""
        if self.offers(adapter, "read_settlement"):
            assert self.settlement_file is not None, "name a settlement_file"
            return True
        with pytest.raises(NotOfferedError):
            list(adapter.read_settlement(io.BytesIO(b"")))
        return False

    def reads_days(self, adapter: Gateway) -> bool:
        """Say whether the API tells settlements; where not, hold the adapter to refusing."""
        if self.offers(adapter, "settlement"):
            assert self.settlement_said, "name the pages in settlement_said"
            return True
        with pytest.raises(NotOfferedError):
            list(adapter.settlement(self.settlement_day))
        return False

    def file(self) -> list[list[str]]:
        assert self.settlement_file is not None
        return list(csv.reader(io.StringIO(self.settlement_file.read_text(encoding="utf-8-sig"))))

    def read(self, adapter: Gateway, table: list[list[str]]) -> list[SettlementRow]:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(table)
        return list(adapter.read_settlement(io.BytesIO(text.getvalue().encode())))

    def test_file_adds_up(self, adapter: Gateway) -> None:
        if self.reads_files(adapter):
            self.adds_up(self.read(adapter, self.file()))

    @pytest.mark.parametrize("value", ["", "twelve", "1e3", "NaN", "1.2345678"])
    def test_file_with_a_bad_amount_names_row_and_column(
        self, adapter: Gateway, value: str
    ) -> None:
        if self.reads_files(adapter):
            table = self.file()
            table[2][table[0].index(self.amount_column)] = value
            with pytest.raises(BadSettlementError) as error:
                self.read(adapter, table)
            assert "row 3" in str(error.value).lower()
            assert self.amount_column in str(error.value)

    def test_file_without_a_column_names_it(self, adapter: Gateway) -> None:
        if self.reads_files(adapter):
            table = self.file()
            table[0][table[0].index(self.amount_column)] = "Something"
            with pytest.raises(BadSettlementError, match=re.escape(self.amount_column)):
                self.read(adapter, table)

    @pytest.mark.parametrize("raw", [b"", b"\xff\xfe\x00\x01", b"PK\x03\x04zip", b"<html></html>"])
    def test_file_of_another_kind_is_refused(self, adapter: Gateway, raw: bytes) -> None:
        if self.reads_files(adapter):
            with pytest.raises(BadSettlementError):
                list(adapter.read_settlement(io.BytesIO(raw)))

    def test_day_from_the_api_adds_up(self, adapter: Gateway, peer: Peer) -> None:
        if self.reads_days(adapter):
            peer.say_reads(*self.settlement_said)
            self.adds_up(adapter.settlement(self.settlement_day))

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b"null", b"{"])
    def test_day_that_cannot_be_read_is_an_error_and_never_an_empty_day(
        self, adapter: Gateway, peer: Peer, body: bytes
    ) -> None:
        if self.reads_days(adapter):
            peer.say_reads(Said(200, body))
            with pytest.raises((GatewayUnavailableError, BadSettlementError)):
                list(adapter.settlement(self.settlement_day))

    def test_day_whose_later_page_fails_is_an_error(self, adapter: Gateway, peer: Peer) -> None:
        if self.reads_days(adapter) and len(self.settlement_said) > 1:
            peer.say_reads(self.settlement_said[0], Said(503, b"{}"))
            with pytest.raises(GatewayUnavailableError):
                list(adapter.settlement(self.settlement_day))

    def test_day_at_a_gateway_that_is_down_is_an_error(self, adapter: Gateway, peer: Peer) -> None:
        if self.reads_days(adapter):
            peer.stop()
            with pytest.raises(GatewayUnavailableError):
                list(adapter.settlement(self.settlement_day))
