"""What people say of a refund with evidence: two of them, neither the maker; files stay sealed."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pytest_django import Settings

from backoffice import keyring
from backoffice.accounts import sealed
from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import Event
from backoffice.files.scanning import Scanner
from backoffice.files.sealing import DamagedError
from backoffice.money import Money
from payments import services
from payments.models import Evidence, Payment, Refund, RefundAttempt
from payments.services import evidence, reviews
from payments.services.moves import move
from payments.states import RefundState
from tests.factories import make_order, make_payment
from tests.people import allow, make_person

PROOF = b"%PDF-1.7\nstatement of the bank, RF 1 was paid out"
State = RefundState


def file(content: bytes = PROOF) -> SimpleUploadedFile:
    return SimpleUploadedFile("Statement of Clara Lindqvist.pdf", content)


def in_review(actor: User, gateway: str = "simulator") -> Refund:
    """Return a refund of £4.00 that needs review (or, by hand, is pending)."""
    order = make_order(1_000)
    make_payment(order, gateway=gateway)
    refund = services.request_refund(order, Money(400, "GBP"), actor=actor, reason="Broken")
    ways = [State.APPROVED, State.EXECUTING]
    ways += [State.PENDING] if gateway == "manual" else [State.UNKNOWN, State.NEEDS_REVIEW]
    for state in ways:
        assert move(refund, state, actor=None)
    return Refund.objects.get(pk=refund.pk)


@pytest.fixture
def refund(eve: User) -> Refund:
    return in_review(eve)


def propose(
    refund: Refund, actor: User, outcome: str = "succeeded", **values: str
) -> ApprovalRequest:
    told = {"reference": "bank-77", "reason": "It stands on the statement", **values}
    seen = evidence.inspect(file(), actor=actor)
    return reviews.propose(refund, outcome, file=seen, actor=actor, **told)


def sums(refund: Refund) -> tuple[int, int]:
    payment = Payment.objects.get(pk=refund.payment_id)
    return payment.reserved_minor, payment.refunded_minor


@pytest.mark.parametrize("gateway", ["simulator", "manual"])
@pytest.mark.parametrize(("outcome", "after"), [("succeeded", (400, 400)), ("failed", (0, 0))])
def test_second_person_ends_it(
    eve: User, max_: User, kim: User, gateway: str, outcome: str, after: tuple[int, int]
) -> None:
    refund = in_review(eve, gateway)
    request = propose(refund, max_, outcome, reference="bank-77" if after[0] else "")
    refund.refresh_from_db()
    assert refund.state in {State.NEEDS_REVIEW, State.PENDING}
    assert sums(refund) == (400, 0)
    approvals.approve(request, actor=kim)
    refund.refresh_from_db()
    assert (refund.state, sums(refund)) == (outcome, after)
    assert refund.gateway_ref == ("bank-77" if after[0] else "")
    tried = RefundAttempt.objects.filter(refund=refund, kind="by_hand").get()
    assert tried.raw["evidence"] == Evidence.objects.get().sha256


def test_refund_that_is_pending_for_too_long_is_for_people_as_well(eve: User) -> None:
    refund = in_review(eve, "manual")
    Payment.objects.filter(pk=refund.payment_id).update(gateway="simulator")
    refund.gateway = "simulator"
    refund.sent_at = timezone.now() - reviews.PENDING_TOO_LONG
    assert reviews.is_reviewable(refund)
    refund.sent_at += timedelta(hours=1)
    assert not reviews.is_reviewable(refund)


def test_proposer_does_not_agree(refund: Refund, max_: User) -> None:
    request = propose(refund, max_)
    with pytest.raises(PermissionDenied):
        approvals.approve(request, actor=max_)
    assert sums(refund) == (400, 0)


def test_maker_neither_proposes_nor_agrees(max_: User, kim: User) -> None:
    refund = in_review(max_)
    with pytest.raises(ValidationError, match="You asked"):
        propose(refund, max_)
    request = propose(refund, kim)
    with pytest.raises(PermissionDenied):
        approvals.approve(request, actor=max_)
    assert sums(refund) == (400, 0)


def test_right_is_needed_on_both_sides(refund: Refund, ann: User, max_: User) -> None:
    with pytest.raises(PermissionDenied):
        propose(refund, ann)
    with pytest.raises(PermissionDenied):
        approvals.approve(propose(refund, max_), actor=allow(ann, "payments.approve_refund"))


def test_rejection_leaves_it_open_and_frees_the_next_proposal(
    refund: Refund, max_: User, kim: User
) -> None:
    approvals.reject(propose(refund, max_), actor=kim, comment="Another customer's line")
    refund.refresh_from_db()
    assert (refund.state, sums(refund)) == (State.NEEDS_REVIEW, (400, 0))
    propose(refund, kim, "failed", reference="")


def test_one_proposal_at_a_time(refund: Refund, max_: User, kim: User) -> None:
    propose(refund, max_)
    with pytest.raises(ValidationError, match="proposed already"):
        propose(refund, kim)


def test_proposal_is_void_when_the_refund_moved_meanwhile(
    refund: Refund, max_: User, kim: User
) -> None:
    request = propose(refund, max_, "failed", reference="")
    assert move(refund, State.SUCCEEDED, actor=None)
    approvals.approve(request, actor=kim)
    request.refresh_from_db()
    assert request.state == "void"
    assert sums(refund) == (400, 400)


@pytest.mark.parametrize(
    "values",
    [{"reference": " "}, {"reason": " "}, {"outcome": "reversed"}, {"outcome": "external"}],
)
def test_incomplete_proposal_is_refused(refund: Refund, max_: User, values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        propose(refund, max_, **values)
    assert not ApprovalRequest.objects.filter(kind="payments.review").exists()


def test_reference_of_another_refund_is_refused(refund: Refund, eve: User, max_: User) -> None:
    Refund.objects.filter(pk=in_review(eve).pk).update(gateway_ref="bank-77")
    with pytest.raises(ValidationError, match="Another refund"):
        propose(refund, max_)


def test_refund_that_the_machine_still_moves_is_not_for_people(eve: User, max_: User) -> None:
    refund = in_review(eve, "manual")
    Refund.objects.filter(pk=refund.pk).update(gateway="simulator")
    with pytest.raises(ValidationError, match="does not wait"):
        propose(Refund.objects.get(pk=refund.pk), max_)


class Suspicious(Scanner):
    """Finds something in every file."""

    def scan(self, file: object) -> str:
        """Return a name."""
        return "Eicar"


def test_file_is_scanned_before_anything(refund: Refund, max_: User, settings: Settings) -> None:
    settings.BACKOFFICE_SCANNER = f"{__name__}.Suspicious"
    with pytest.raises(ValidationError, match="Eicar"):
        propose(refund, max_)
    assert Event.objects.filter(verb="files.infected", actor=max_).exists()
    assert not Evidence.objects.exists()


@pytest.mark.parametrize("content", [b"", b"MZ\x90\x00", b"<html><script>", b"x" * 10_485_761])
def test_file_that_is_no_evidence_is_refused(max_: User, content: bytes) -> None:
    with pytest.raises(ValidationError):
        evidence.inspect(file(content), actor=max_)
    assert not Evidence.objects.exists()


def test_evidence_lies_sealed_under_a_name_of_ours(refund: Refund, max_: User) -> None:
    propose(refund, max_)
    kept = Evidence.objects.get()
    assert kept.name == f"{refund.code}-evidence.pdf"
    with kept.file.storage.open(str(kept.file.name)) as stored:
        assert b"statement" not in stored.read()
    assert evidence.download(kept, actor=max_) == PROOF
    assert Event.objects.about(kept).filter(verb="payments.evidence_downloaded").count() == 1


def test_evidence_needs_its_right_and_the_refusal_is_on_record(
    refund: Refund, max_: User, ann: User
) -> None:
    propose(refund, max_)
    kept = Evidence.objects.get()
    with pytest.raises(PermissionDenied):
        evidence.download(kept, actor=ann)
    assert Event.objects.about(kept).get(actor=ann).outcome == "refused"


def test_changed_evidence_is_not_handed_out(refund: Refund, max_: User) -> None:
    propose(refund, max_)
    kept = Evidence.objects.get()
    with kept.file.storage.open(str(kept.file.name), "r+b") as stored:
        stored.write(b"x")
    with pytest.raises(DamagedError):
        evidence.download(kept, actor=max_)


def test_rotation_of_keys_covers_evidence(refund: Refund, max_: User) -> None:
    propose(refund, max_)
    kept = Evidence.objects.get()
    assert sealed.check()["evidence"].by_key == {keyring.id_of(kept.sealed_key): 1}
    assert "evidence" in sealed.rotate()


def test_people_without_accounts_of_their_own_do_not_review(refund: Refund, max_: User) -> None:
    gone = allow(make_person("cho"), "payments.review_refund")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    with pytest.raises(PermissionDenied):
        propose(refund, User.objects.get(pk=gone.pk))
