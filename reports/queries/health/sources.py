"""A line about the data sources; loaded where the app is installed."""

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice import policy
from backoffice.accounts.models import User
from backoffice.sources.models import SourceState
from reports.queries.health import Line, address, register

_State = SourceState.State
_WORST_FIRST = (_State.DOWN, _State.SLOW, _State.UP)
_KINDS = {_State.DOWN: "fail", _State.SLOW: "wait", _State.UP: "quiet"}


@register(order=40)
def sources(user: User) -> Line | None:
    """Say how the source that does worst was when the worker asked last."""
    if not policy.may(user, "view", SourceState).allowed:
        return None
    found = list(policy.scope(user, SourceState.objects.all()))
    url = address("sources")
    if not found:
        detail = gettext("The worker has not asked them yet")
        return Line(_("Data sources"), detail, "hub", "rest", _("Not asked yet"), url)
    worst = min(found, key=lambda source: _WORST_FIRST.index(_State(source.state)))
    state = _State(worst.state)
    return Line(_("Data sources"), _detail(worst, state), "hub", _KINDS[state], state.label, url)


def _detail(worst: SourceState, state: _State) -> str:
    if state is _State.UP:
        return gettext("All answer")
    since = date_format(localtime(worst.since), "j M H:i")
    return gettext("%(name)s, since %(since)s") % {"name": worst.name, "since": since}
