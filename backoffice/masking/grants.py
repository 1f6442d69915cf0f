"""Who was let in to which record: what the policy asks, and the seam to approvals."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from guardian.models import UserObjectPermission

from backoffice.accounts.models import User
from backoffice.masking.fields import masked_fields
from backoffice.masking.models import Grant
from backoffice.policy import Granted, codename

# ask(record, permission, minutes, actor, reason) -> the request that now waits for a second person.
type Asker = Callable[[Model, str, int, User, str], Any]

_askers: list[Asker] = []


class NoApprovalsError(LookupError):
    """A grant was asked for, but no app that has others decide is installed."""


def register_asking(ask: Asker) -> None:
    """Let `ask` put a request for a grant before a second person."""
    _askers[:] = [ask]


def asking() -> Asker:
    """Return what puts a request before a second person; raises NoApprovalsError."""
    if not _askers:
        msg = "grants need backoffice.approvals in INSTALLED_APPS"
        raise NoApprovalsError(msg)
    return _askers[0]


def granted(user: Any, permission: str, rows: Sequence[Model]) -> dict[Any, Granted]:
    """Return key -> grant of those `rows` (of one model) that a live grant of `permission` covers.

    Needs two queries however many rows: the grants, and guardian's object permissions. Of several
    grants the one that lasts longest is told.
    """
    model = type(rows[0])
    if permission != codename("reveal", model):
        return {}
    by_text = {str(row.pk): row.pk for row in rows}
    kind = ContentType.objects.get_for_model(model)
    live = Grant.objects.live().filter(
        user=user, content_type=kind, object_id__in=by_text, permission=permission
    )
    found = {
        grant.object_id: Granted(str(grant.given_by), grant.expires_at)
        for grant in live.select_related("given_by").order_by("expires_at")
    }
    if not found:
        return {}
    held = UserObjectPermission.objects.filter(
        user=user,
        content_type=kind,
        object_pk__in=found,
        permission__codename=permission.partition(".")[2],
    )
    return {by_text[key]: found[key] for key in held.values_list("object_pk", flat=True)}


def is_masked(model: type[Model], name: str) -> bool:
    """Say whether a field shows a mask, for who asks the policy why."""
    return any(field.name == name for field in masked_fields(model))
