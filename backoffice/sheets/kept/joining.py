"""Joining a kept sheet with another one, or with a model, on a key.

Two sheets never change, so their pairs are found once, when the join is saved, and kept. Rows of a
model are found each time anew, in the scope of whoever looks. A masked column joins by blind index
(`masking.indexes`), whole values only: that somebody who brings a list of guesses does not learn
who is among the others, it takes the owner of the sheets, and of a model what a reveal of each
record takes (`hits`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Event
from backoffice.audit.services import record
from backoffice.masking import matching
from backoffice.masking.services import Reason
from backoffice.masking.values import MaskedQueryError
from backoffice.policy import scope
from backoffice.sheets.kept import hits, vault
from backoffice.sheets.kept.columns import Column
from backoffice.sheets.kept.frames import Frame, JoinFrame, ModelFrame, Part, SheetFrame
from backoffice.sheets.kept.hits import MATCHED
from backoffice.sheets.kept.keeping import ADD, VIEW, columns_of, must
from backoffice.sheets.kept.pairing import Counts, Matched, Rule, keys_of, match
from backoffice.sheets.kept.vault import Cells, Vault
from backoffice.sheets.models import KeptJoin, KeptPairs, KeptSheet

JOINED = verbs.register("sheets.joined", gettext_lazy("Join of sheets saved"))
MOST_RECORDS: Final = 500_000
"""Rows of a model that a join reads: each page of it does so anew."""
_NOTED: Final = "kept_joins_noted"


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that may be joined: the fields that its page lets out, and what it is called."""

    model: type[models.Model]
    label: str
    fields: tuple[str, ...]


class Session(Protocol):
    """What remembers, for as long as somebody is signed in, what is on the record already."""

    def get(self, key: str, default: Any, /) -> Any: ...

    def __setitem__(self, key: str, value: Any, /) -> None: ...


class Provider(Protocol):
    """Says which models a person may join: those whose pages they may open."""

    def __call__(self, user: Any) -> Iterable[Offer]: ...


_providers: list[Provider] = []


def offer_from(provider: Provider) -> None:
    """Let the page kit say which models there are; services never import pages."""
    if provider not in _providers:
        _providers.append(provider)


def offers(user: Any) -> dict[str, Offer]:
    """Return model label -> what a person may join it by."""
    found = [offer for provider in _providers for offer in provider(user)]
    return {offer.model._meta.label_lower: offer for offer in found}


@dataclass(frozen=True, slots=True)
class Opened:
    """A join as one person sees it."""

    join: KeptJoin
    left: Frame
    right: Frame
    matched: Matched

    @property
    def frame(self) -> Frame:
        """The rows side by side."""
        return JoinFrame(self.left, self.right, self.matched.left, self.matched.right)

    @property
    def left_only(self) -> Frame:
        """The rows of the first side without a match."""
        return Part(self.left, self.matched.left_only)

    @property
    def right_only(self) -> Frame:
        """The rows of the second side without a match."""
        return Part(self.right, self.matched.right_only)


def _by(cells: Cells, keys: Mapping[str, str]) -> list[str]:
    """Return the key of each row of a masked column."""
    return [keys[str(text)] if text else "" for text in cells.data]


def _texts(cells: Cells) -> set[str]:
    return {str(text) for text in cells.data if text}


def save(  # noqa: PLR0913 - the choices of a form
    *,
    actor: User,
    name: str,
    left: KeptSheet,
    left_ref: str,
    right: KeptSheet | str,
    right_ref: str,
    how: str = KeptJoin.How.INNER,
    fold: bool = False,
    zeros: bool = False,
    shared: bool = False,
    purpose: str = "",
    text: str = "",
    fresh: bool = False,
    session: Session | None = None,
) -> KeptJoin:
    """Join a kept sheet with another, or with the model of a label, and keep the join by its name.

    A masked field of a model takes what a reveal takes: `purpose` and `text` say why, `fresh` that
    the person proved lately who they are. Raises PermissionDenied (RevealRefusedError on the
    record), ValidationError for columns that cannot be joined and without such a reason.
    """
    must(actor, ADD, VIEW)
    if not name.strip():
        raise ValidationError({"name": _("Give the join a name.")})
    join = KeptJoin(
        owner=actor, name=name.strip(), shared=shared, left=left, how=how, fold=fold, zeros=zeros,
        left_column=_column(left, left_ref).index,
    )  # fmt: skip
    if isinstance(right, KeptSheet):
        join.right, join.right_column = right, _column(right, right_ref).index
    else:
        join.right_model, join.right_field = right, right_ref
    left_side, own = _sheet(left, actor), columns_of(left)[join.left_column]
    reason = Reason(purpose, text)
    if join.right is not None:
        found = _sheets_matched(join, left_side, _sheet(join.right, actor), own, actor)
        join.counts = asdict(found.counts)
    else:
        sides = _Sides(join, left_side, own, actor)
        found = sides.matched(reason, fresh=fresh, session=session)
    with transaction.atomic():
        join.save()
        if join.right is not None:
            _keep_pairs(join, found)
        _record(join, found.counts.pairs, reason, actor, is_masked=bool(own.mask))
    return join


def _record(join: KeptJoin, pairs: int, reason: Reason, actor: User, *, is_masked: bool) -> None:
    facts = {"model": join.right_model, "pairs": pairs, "how": join.how}
    record(JOINED, actor=actor, subject=join, context=facts)
    if is_masked:
        why = str(reason) if join.right_model else ""
        facts |= {"purpose": reason.chosen} if why else {}
        record(MATCHED, actor=actor, subject=join, reason=why, context=facts)


def _column(sheet: KeptSheet, ref: str) -> Column:
    for column in columns_of(sheet):
        if column.ref == ref:
            return column
    raise ValidationError(_("Choose a column of each side."))


def is_like_reveal(left: KeptSheet, left_ref: str, right: KeptSheet | str) -> bool:
    """Say whether a join on that column takes what a reveal takes. Raises ValidationError."""
    return isinstance(right, str) and bool(_column(left, left_ref).mask)


def _keep_pairs(join: KeptJoin, matched: Matched) -> None:
    safe, sides = Vault(join.left), KeptPairs.Side
    places = {
        sides.LEFT: matched.left,
        sides.RIGHT: matched.right,
        sides.LEFT_ONLY: matched.left_only,
        sides.RIGHT_ONLY: matched.right_only,
    }
    KeptPairs.objects.bulk_create(
        KeptPairs(join=join, side=side, body=safe.seal(_name(join, side), vault.pack_places(found)))
        for side, found in places.items()
    )


def _name(join: KeptJoin, side: str) -> str:
    return f"join:{join.public_id.hex}:{side}"


def open_join(join: KeptJoin, user: User, *, session: Session | None = None) -> Opened:
    """Return a join as the person may see it.

    Records that are matched by a masked value go on the record as those that are revealed, once a
    `session`, and again when others are found; without one each time. Raises LookupError when one
    of its sheets is not there for them, PermissionDenied when they may not see the model (or not
    match by a hidden value), ValidationError when too many rows are there by now.
    """
    left, own = _sheet(join.left, user), columns_of(join.left)[join.left_column]
    if join.right is not None:
        return Opened(join, left, _sheet(join.right, user), _kept_pairs(join))
    sides = _Sides(join, left, own, user)
    matched = sides.matched(session=session)
    return Opened(join, left, sides.right, matched)


def _sheet(sheet: KeptSheet, user: User) -> SheetFrame:
    ready = KeptSheet.objects.filter(pk=sheet.pk, state=KeptSheet.State.READY)
    if not scope(user, ready).exists():
        raise LookupError(sheet.pk)
    return SheetFrame(sheet)


def _kept_pairs(join: KeptJoin) -> Matched:
    safe = Vault(join.left)
    found = {
        row.side: vault.unpack_places(safe.open(_name(join, row.side), row.body))
        for row in join.pairs.all()
    }
    return Matched(found["l"], found["r"], found["x"], found["y"], Counts(**join.counts))


def _outer(join: KeptJoin) -> bool:
    return join.how == KeptJoin.How.LEFT


def _sheets_matched(join: KeptJoin, left: Frame, right: Frame, own: Column, user: User) -> Matched:
    assert join.right is not None  # noqa: S101 - asked before
    theirs = columns_of(join.right)[join.right_column or 0]
    cells = left.cells(own.ref), right.cells(theirs.ref)
    rule = Rule(join.fold, join.zeros)
    if not own.mask and not theirs.mask:
        keys = keys_of(own, cells[0], rule), keys_of(theirs, cells[1], rule)
        return match(*keys, outer=_outer(join))
    if own.mask != theirs.mask:
        raise ValidationError(_("Only one of the two columns is masked, or they are masked in"
                                " different ways. Such columns cannot be joined."))  # fmt: skip
    for sheet in (join.left, join.right):
        if sheet.owner_id != user.pk:
            text = _(
                "“%(name)s” is not yours: only who keeps a sheet may join it on a masked column."
            )
            raise ValidationError(text % {"name": sheet.name})
    digests = [_by(one, matching.of_texts(own.mask, _texts(one))) for one in cells]
    return match(digests[0], digests[1], outer=_outer(join))


class _Sides:
    """A kept sheet and the rows of a model that a person may see."""

    def __init__(self, join: KeptJoin, left: Frame, own: Column, user: User) -> None:
        """Raise PermissionDenied for a page that is not theirs.

        Raises ValidationError for columns that cannot be joined, and for too many rows.
        """
        offer = offers(user).get(join.right_model)
        if offer is None or join.right_field not in offer.fields:
            raise PermissionDenied
        self.join, self.left, self.own, self.user = join, left, own, user
        rows: QuerySet[Any] = scope(user, offer.model._default_manager.all())
        self.right = ModelFrame(rows, offer.fields)
        self.theirs = self.right.column(join.right_field)
        if bool(self.theirs.mask) != bool(own.mask):
            raise ValidationError(
                _("Only one of the two columns is masked. Such columns cannot be joined.")
            )
        if self.right.has_more_than(MOST_RECORDS):
            text = _(
                "A join reads %(most)s records at most, and there are more of %(kind)s. Export"
                " those that you need, keep the file as a sheet, and join the two sheets."
            )
            raise ValidationError(text % {"most": f"{MOST_RECORDS:,}", "kind": offer.label})

    def matched(
        self, reason: Reason | None = None, *, fresh: bool = False, session: Session | None = None
    ) -> Matched:
        """Pair the rows; with a `reason` for the first time, else as the `session` goes on."""
        cells = self.left.cells(self.own.ref)
        if self.own.mask:
            return self._matched_blindly(cells, reason, fresh=fresh, session=session)
        rule, ref = Rule(self.join.fold, self.join.zeros), self.theirs.ref
        theirs = keys_of(self.theirs, self.right.cells(ref), rule)
        return match(keys_of(self.own, cells, rule), theirs, outer=_outer(self.join))

    def _matched_blindly(
        self, cells: Cells, reason: Reason | None, *, fresh: bool, session: Session | None
    ) -> Matched:
        asking = self._asking(reason)
        if reason is None:
            asking.go_on()
        else:
            asking.begin(fresh=fresh)
        rows = self.right.queryset
        field: Any = rows.model._meta.get_field(self.theirs.ref)
        try:
            known, stored = matching.keys(rows, field, _texts(cells))
        except MaskedQueryError:
            text = _("This field is not found by its value, so it cannot be joined.")
            raise ValidationError(text) from None
        try:
            found = match(_by(cells, known), stored, outer=_outer(self.join))
        except ValidationError:
            asking.told()  # too many pairs: so there are some
            raise
        self._spend(asking, found, session)
        return found

    def _asking(self, reason: Reason | None) -> hits.Asking:
        """Refuse all but the owner of the sheet; when opened, the purpose is that of the saving."""
        if self.join.left.owner_id != self.user.pk:
            raise PermissionDenied
        facts = {"join": str(self.join.public_id)}
        said = reason or _said(self.join)
        return hits.Asking(self.user, self.right.queryset.model, self.theirs.ref, said, facts)

    def _spend(self, asking: hits.Asking, found: Matched, session: Session | None) -> None:
        keys = [self.right.keys[place] for place in sorted(set(found.right) - {-1})]
        name, now = self.join.public_id.hex, hits.digest(keys)
        noted = session.get(_NOTED, {}) if session is not None else {}
        if noted.get(name) == now:
            return
        asking.spend(self.right.queryset, keys)
        if self.join.pk:
            facts = {"model": self.join.right_model, "pairs": found.counts.pairs, "opened": True}
            record(MATCHED, actor=self.user, subject=self.join, context=facts)
        if session is not None:
            session[_NOTED] = {**noted, name: now}


def _said(join: KeptJoin) -> Reason:
    """Return why the join was saved."""
    events = Event.objects.filter(
        verb=MATCHED, subject_type=join._meta.label_lower, subject_id=str(join.pk)
    )
    first = events.order_by("pk").first()
    return Reason(first.context.get("purpose", ""), "") if first else Reason("", "")


def model_of(label: str) -> str:
    """Return what the rows of a model are called; its label when its app is left out."""
    try:
        return str(apps.get_model(label)._meta.verbose_name_plural)
    except LookupError:
        return label
