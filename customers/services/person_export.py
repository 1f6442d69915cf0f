"""All that is stored of a person, in a file for them (GDPR, Articles 15 and 20).

Machine-readable: a zip of one JSON document and one CSV table a place. The values are clear, so
that it was made is on the record before the file exists; the file lies encrypted, only for who
asked, and is gone after a day.
"""

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.registry import Effect
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.files import rights
from backoffice.files import services as files
from backoffice.jobs import registry
from backoffice.jobs.run import JobError, JobRun
from backoffice.masking import erasing, subjects
from backoffice.masking.collecting import Part, collect
from backoffice.masking.subjects import Group
from backoffice.policy import may
from customers.models import Customer, PrivacyCase
from customers.places import LABEL, person
from customers.services import privacy

EXPORTED = verbs.register(
    "privacy.exported",
    gettext_lazy("All that is stored of a person exported"),
    personal="exported",
    right=privacy.VIEW,
)
PURPOSE: Final = "customers.privacy_export"
_State = PrivacyCase.State
# A spreadsheet program takes what begins so for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@registry.handler(privacy.JOBS[PrivacyCase.Kind.EXPORT])
def export(run: JobRun) -> dict[str, Any]:
    """Make the file.

    Raises JobError, the request open again, when who asked lost the right (or left), or the person
    was erased meanwhile.
    """
    case = PrivacyCase.objects.select_related("customer", "asked_by").get(pk=run.params["case"])
    if case.customer is None or case.state != _State.RUNNING:
        return {"case": case.pk}
    owner = _owner(run, case)
    if privacy.is_being_erased(case.customer):
        raise _back(run, case, _("This customer was erased since this was asked for."))
    _tell(run, case, person(case.customer))
    parts = list(collect(person(case.customer)))
    counts = {part.name: len(part.rows) for part in parts}
    made = packed(parts, case)
    with run.effect():
        _keep(case, owner, made, counts)
    return {"case": case.pk, "rows": sum(counts.values())}


def _owner(run: JobRun, case: PrivacyCase) -> User:
    """Return who gets the file, if they may have it still."""
    if case.asked_by is None or not may(case.asked_by, privacy.MANAGE, None):
        raise _back(run, case, _("Who asked for it may not work on such requests any more."))
    return case.asked_by


def _back(run: JobRun, case: PrivacyCase, why: str) -> JobError:
    """Open the request again, so that somebody can ask anew or refuse it; return why."""
    with run.effect():
        PrivacyCase.objects.filter(pk=case.pk, state=_State.RUNNING).update(state=_State.OPEN)
    return JobError(why)


def _tell(run: JobRun, case: PrivacyCase, group: Group) -> None:
    """Commit that the data leaves, before it is even read; once, however often the job begins."""
    with run.effect() as checkpoint:
        if checkpoint.get("told"):
            return
        first, *more = group.rows(LABEL).order_by("pk")
        facts = {"case": case.pk, "rows": 1 + len(more), "file": "json+csv"}
        record(EXPORTED, actor=case.asked_by, subject=first, also=[*more, case], context=facts)
        checkpoint["told"] = True


def _keep(case: PrivacyCase, owner: User, made: bytes, counts: dict[str, int]) -> None:
    kept = files.keep(
        made,
        name=f"personal-data-{case}.zip",
        kind="zip",
        purpose=PURPOSE,
        owner=owner,
        proof=True,
    )
    receipt = {
        "case": case.pk,
        "kind": case.kind,
        "customer": case.customer_id,
        "rows": dict(sorted(counts.items())),
        "file": kept.sha256,
    }
    privacy.finish(case, receipt, counted=sum(counts.values()), file=kept)


def packed(parts: Sequence[Part], case: PrivacyCase) -> bytes:
    """Return the zip: data.json with all, and a table of each place."""
    whole = {
        "about": {
            "made_at": timezone.now().isoformat(timespec="seconds"),
            "request": str(case),
            "law": "GDPR, Articles 15 and 20",
            "note": "In the tables a text that begins like a formula stands behind an apostrophe; "
            "data.json has every text as it is.",
        },
        "places": {part.name: {"label": part.label, "rows": part.rows} for part in parts},
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", json.dumps(whole, ensure_ascii=False, indent=1))
        for part in parts:
            archive.writestr(f"{part.name}.csv", table(part.rows))
    return target.getvalue()


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV with a byte order mark, so that spreadsheet programs read UTF-8."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, names)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return f"\N{ZERO WIDTH NO-BREAK SPACE}{target.getvalue()}"


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def effects(request: ApprovalRequest) -> list[Effect]:
    """Return what approvers see: how many rows of which place go into the file."""
    customer = Customer.objects.filter(pk=request.subject_id).first()
    if customer is None:
        return []
    group = person(customer)
    counted = [(place, erasing.count(place, group)) for place in subjects.places()]
    outcome = _("in the file, clear")
    own = [Effect(place.label, str(rows), outcome) for place, rows in counted if rows]
    return [*own, *privacy.others_effects(request, outcome)]


privacy.register_rule(PrivacyCase.Kind.EXPORT, effects)
rights.register(PURPOSE, lambda user, _kept: bool(may(user, privacy.MANAGE, None)))
