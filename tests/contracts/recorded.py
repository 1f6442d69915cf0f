"""Recorded answers: JSON files `refund_*.json` in `fixtures/gateways/<name>/`.

::

    {"source": "https://vendor.example/docs/page",   where the answer was transcribed from
     "read_on": "2026-11-22",
     "note": "…",                                    what is ours in it, "" if nothing
     "status": 400, "headers": {}, "body": {…},      the answer
     "command": {"number": "…", "payment_reference": "…", "minor": 100, "currency": "GBP"},
     "expect": {"outcome": "failed", "code": "…"}}   what the adapter makes of it

`command` is optional: the refund that was asked for, where the answer has to fit it. Other files
of the folder (events, settlements) belong to the test class; they hold a `source` as well, or
stand beside a README.md that names it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backoffice.money import Money
from payments.gateways.base import RefundCommand
from tests.contracts.peers import Said


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded answer to a refund, and what is to be made of it."""

    name: str
    said: Said
    outcome: str
    code: str
    asked: dict[str, Any]

    def of(self, command: RefundCommand) -> RefundCommand:
        """Return `command` as the answer expects it."""
        if not self.asked:
            return command
        amount = Money(self.asked["minor"], self.asked["currency"])
        number = self.asked.get("number", command.number)
        reference = self.asked.get("payment_reference", command.payment_reference)
        return replace(command, amount=amount, number=number, payment_reference=reference)


def recordings(folder: Path | None) -> Iterator[Recording]:
    """Return the recorded answers of a folder; a file without its source is an error."""
    if folder is None:
        return
    paths = sorted(folder.glob("refund_*.json"))
    assert paths, f"no recorded answers in {folder}"
    for path in paths:
        whole = json.loads(path.read_text(encoding="utf-8"))
        assert whole["source"].startswith("https://"), path
        assert whole["read_on"], path
        body = whole["body"]
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        yield Recording(
            name=path.name,
            said=Said(whole["status"], raw, whole.get("headers", {})),
            outcome=whole["expect"]["outcome"],
            code=whole["expect"].get("code", ""),
            asked=whole.get("command", {}),
        )
