"""Sessions as people read them: device, address, place, times."""

from dataclasses import dataclass
from datetime import UTC, datetime

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.utils.module_loading import import_string

from backoffice.accounts import agents


@dataclass(frozen=True, slots=True)
class Shown:
    """One session in words; `place` is "" where nobody says where an address lies."""

    key: int
    device: str
    address: str
    place: str
    site: str
    began: datetime
    seen: datetime
    current: bool


def place_of(address: str) -> str:
    """Return where an address lies, by BACKOFFICE_PLACES; "" without one."""
    if not settings.BACKOFFICE_PLACES:
        return ""
    return str(import_string(settings.BACKOFFICE_PLACES)(address) or "")


def shown(row: UserSession, current_key: str | None) -> Shown:
    """Return what a list says of the session; `current_key` is that of the request."""
    began = row.data.get("began")
    return Shown(
        key=row.pk,
        device=agents.label(row.user_agent),
        address=row.ip,
        place=place_of(row.ip),
        site=row.data.get("site", ""),
        began=datetime.fromtimestamp(began, UTC) if began else row.created_at,
        seen=row.last_seen_at,
        current=row.session_key == current_key,
    )
