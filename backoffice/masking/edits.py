"""How often one person changes one record that holds masked values.

Who types a value is answered alike whether it stood there or not. But the history of the record
tells afterwards whether anything differs, so guesses have to be few.
"""

import datetime as dt
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.masking.fields import masked_fields

_HOUR = dt.timedelta(hours=1)


def require_few(obj: Model, actor: Any) -> None:
    """Raise ValidationError when `actor` changed this record too often within an hour.

    Counts rows of its history, so call it before the row is saved and with the row locked. At most
    BACKOFFICE_PERSONAL_EDITS_PER_HOUR, 0 is no limit. Models without masked fields have none.
    """
    most = settings.BACKOFFICE_PERSONAL_EDITS_PER_HOUR
    if not most or not masked_fields(type(obj)):
        return
    rows: Any = obj.history  # type: ignore[attr-defined]
    done = rows.filter(history_user=actor, history_date__gt=timezone.now() - _HOUR)
    if done.count() >= most:
        text = _("You changed this record %(most)d times within an hour. Wait, or ask a colleague.")
        raise ValidationError(text % {"most": most})
