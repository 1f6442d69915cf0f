"""Every verb that is registered has a writer, and what the record has to cover has its verb."""

import ast
from pathlib import Path

import pytest

from backoffice.audit import verbs

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("backoffice", "customers", "sellers", "orders", "payments", "reports")

# What the record has to tell of, whatever else an app adds.
COVERED = {
    "sign-in": "session.signed_in",
    "failed sign-in": "session.sign_in_failed",
    "sign-out": "session.signed_out",
    "role changed": "accounts.role_changed",
    "history looked at": "record.history_viewed",
    "search by a personal value": "record.searched",
    "reveal": "masking.revealed",
    "access given": "masking.granted",
    "export": "record.exported",
    "import begun": "sheets.started",
    "import over": "sheets.finished",
    "action": "record.action_done",
    "refused action": "record.action_refused",
    "decision asked for": "approvals.asked",
    "approved": "approvals.approved",
    "rejected": "approvals.rejected",
    "gateway call begun": "payments.refund_sent",
    "gateway call answered": "payments.refund_succeeded",
    "gateway call failed": "payments.refund_failed",
    "gateway call without an answer": "payments.refund_unknown",
    "gateway asked again": "payments.refund_asked_again",
    "job begun": "jobs.started",
    "version restored": "record.restored",
    "review signed": "audit.review_signed",
}


class _Names(ast.NodeVisitor):
    """Collects where a verb gets its name, and every other use of a name."""

    def __init__(self) -> None:
        self.named: dict[str, str] = {}
        self.used: set[str] = set()
        self._owner = ""

    def visit_Assign(self, node: ast.Assign) -> None:
        target = node.targets[0]
        self._owner = target.id if isinstance(target, ast.Name) else ""
        self.visit(node.value)
        self._owner = ""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._owner = node.target.id if isinstance(node.target, ast.Name) else ""
        if node.value is not None:
            self.visit(node.value)
        self._owner = ""

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        called = node.func.id if isinstance(node.func, ast.Name) else called
        first = node.args[0] if node.args else None
        if called == "register" and isinstance(first, ast.Constant):
            self.named[str(first.value)] = self._owner
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.used.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.used.add(node.attr)
        self.generic_visit(node)


@pytest.fixture(scope="module")
def names() -> _Names:
    found = _Names()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" not in path.parts:
                found.visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def test_every_verb_has_a_writer(names: _Names, django_db_setup: None) -> None:
    verbs_of_tests = {verb for verb, _text in verbs.choices()} - names.named.keys()
    assert not {verb for verb in verbs_of_tests if not verb.startswith(("test", "example"))}
    unused = {verb for verb, name in names.named.items() if "." in verb and name not in names.used}
    assert not unused


@pytest.mark.parametrize("verb", COVERED.values(), ids=COVERED.keys())
def test_what_has_to_be_covered_has_its_verb(verb: str) -> None:
    verbs.require(verb)
