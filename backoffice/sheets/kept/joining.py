"""Joining a kept sheet with another one, or with a model, on a key.

Two sheets never change, so their pairs are found once, when the join is saved, and kept. Rows of a
model are found each time anew, in the scope of whoever looks. A masked column joins by blind index
(`masking.indexes`), whole values only: that somebody who brings a list of guesses does not learn
who is among the others, it takes the owner of the sheets, and of a model the right to reveal.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.masking import matching
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.values import MaskedQueryError
from backoffice.policy import codename, may, scope
from backoffice.sheets.kept import vault
from backoffice.sheets.kept.columns import Cell, Column, Kind, moment
from backoffice.sheets.kept.frames import Frame, JoinFrame, ModelFrame, Part, SheetFrame
from backoffice.sheets.kept.keeping import ADD, VIEW, columns_of, must
from backoffice.sheets.kept.vault import Cells, Vault
from backoffice.sheets.models import KeptJoin, KeptPairs, KeptSheet

JOINED = verbs.register("sheets.joined", gettext_lazy("Join of sheets saved"))
MATCHED = verbs.register(
    "sheets.matched",
    gettext_lazy("List matched with masked values"),
    personal="searched",
)
MOST_PAIRS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that may be joined: the fields that its page lets out, and what it is called."""

    model: type[models.Model]
    label: str
    fields: tuple[str, ...]


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
class Rule:
    """How keys are compared. Spaces at both ends never count, and an empty key matches nothing."""

    fold: bool = False
    zeros: bool = False

    def of(self, text: str) -> str:
        """Return the key of a text; "" for none."""
        key = text.strip()
        if self.fold:
            key = key.casefold()
        return (key.lstrip("0") or key[-1:]) if self.zeros else key


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of a join. `repeated` counts the keys that stand in several rows of a side."""

    pairs: int
    left_matched: int
    right_matched: int
    left_only: int
    right_only: int
    left_repeated: int
    right_repeated: int
    left_empty: int
    right_empty: int


@dataclass(frozen=True, slots=True)
class Matched:
    """Places of rows that belong together, pair by pair, and those of rows that stay alone."""

    left: Sequence[int]
    right: Sequence[int]
    left_only: Sequence[int]
    right_only: Sequence[int]
    counts: Counts


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


def match(left: Sequence[str], right: Sequence[str], *, outer: bool = False) -> Matched:
    """Pair the rows of equal keys; "" matches nothing. With `outer` a lone left row pairs with -1.

    Raises ValidationError where repeated keys would make too many pairs.
    """
    often = Counter(key for key in right if key), Counter(key for key in left if key)
    in_right, in_left = often
    pairs = sum(count * in_right[key] for key, count in in_left.items() if key in in_right)
    if pairs > MOST_PAIRS:
        text = _(
            "The keys repeat on both sides: %(pairs)s pairs would come of it. Choose a key that is"
            " there once on one side."
        )
        raise ValidationError(text % {"pairs": f"{pairs:,}"})
    places: dict[str, list[int]] = {}
    for place, key in enumerate(right):
        if key in in_left:
            places.setdefault(key, []).append(place)
    lefts, rights, alone = array("i"), array("i"), array("i")
    for place, key in enumerate(left):
        found = places.get(key)
        if found is None:
            alone.append(place)
            found = [-1] if outer else []
        lefts.extend([place] * len(found))
        rights.extend(found)
    right_only = array("i", [place for place, key in enumerate(right) if key not in in_left])
    counts = Counts(
        pairs=pairs,
        left_matched=len(left) - len(alone),
        right_matched=len(right) - len(right_only),
        left_only=len(alone),
        right_only=len(right_only),
        left_repeated=sum(count > 1 for count in in_left.values()),
        right_repeated=sum(count > 1 for count in in_right.values()),
        left_empty=len(left) - in_left.total(),
        right_empty=len(right) - in_right.total(),
    )
    return Matched(lefts, rights, alone, right_only, counts)


def keys_of(column: Column, cells: Cells, rule: Rule) -> list[str]:
    """Return the key of each row of a column in clear."""
    written = {cell: rule.of(_written(column, cell)) for cell in set(cells.data)}
    return ["" if gap else written[cell] for cell, gap in zip(cells.data, cells.empty, strict=True)]


def _written(column: Column, cell: Cell) -> str:
    """Return a cell as a key: the number 12 and the text "12" are one."""
    if isinstance(cell, str) or cell is None:
        return cell or ""
    if column.kind is Kind.DATE:
        when = moment(cell)
        return f"{when:%Y-%m-%d %H:%M:%S}" if column.times else f"{when:%Y-%m-%d}"
    number = Decimal(cell).scaleb(-column.scale)
    return format(number.normalize() if cell else number * 0, "f")


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
) -> KeptJoin:
    """Join a kept sheet with another, or with the model of a label, and keep the join by its name.

    Raises PermissionDenied, ValidationError for columns that cannot be joined.
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
    opened = _opened(join, actor, made=False)
    join.counts = asdict(opened.matched.counts) if join.right else {}
    with transaction.atomic():
        join.save()
        if join.right is not None:
            _keep_pairs(join, opened.matched)
        facts = {"model": join.right_model, "pairs": opened.matched.counts.pairs, "how": how}
        record(JOINED, actor=actor, subject=join, context=facts)
        if _is_blind(join) and join.right_model:
            record(MATCHED, actor=actor, subject=join, context=facts)
    return join


def _column(sheet: KeptSheet, ref: str) -> Column:
    for column in columns_of(sheet):
        if column.ref == ref:
            return column
    raise ValidationError(_("Choose a column of each side."))


def _is_blind(join: KeptJoin) -> bool:
    return bool(columns_of(join.left)[join.left_column].mask)


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


def open_join(join: KeptJoin, user: User) -> Opened:
    """Return a join as the person may see it.

    Raises LookupError when one of its sheets is not there for them, PermissionDenied when they may
    not see the model (or not match by a hidden value).
    """
    return _opened(join, user, made=True)


def _opened(join: KeptJoin, user: User, *, made: bool) -> Opened:
    left = _sheet(join.left, user)
    own = columns_of(join.left)[join.left_column]
    if join.right is not None:
        right: Frame = _sheet(join.right, user)
        matched = _kept_pairs(join) if made else _sheets_matched(join, left, right, own, user)
        return Opened(join, left, right, matched)
    offer = offers(user).get(join.right_model)
    if offer is None or join.right_field not in offer.fields:
        raise PermissionDenied
    rows: QuerySet[Any] = scope(user, offer.model._default_manager.all())
    frame = ModelFrame(rows, offer.fields)
    matched = _model_matched(join, left, frame, own, user, offer)
    return Opened(join, left, frame, matched)


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


def _model_matched(
    join: KeptJoin, left: Frame, right: ModelFrame, own: Column, user: User, offer: Offer
) -> Matched:
    field = offer.model._meta.get_field(join.right_field)
    cells = left.cells(own.ref)
    if isinstance(field, MaskedMixin) != bool(own.mask):
        raise ValidationError(
            _("Only one of the two columns is masked. Such columns cannot be joined.")
        )
    if not isinstance(field, MaskedMixin):
        rule = Rule(join.fold, join.zeros)
        theirs = keys_of(right.column(field.name), right.cells(field.name), rule)
        return match(keys_of(own, cells, rule), theirs, outer=_outer(join))
    _may_match(join, field, user)
    try:
        known, stored = matching.keys(right.queryset, field, _texts(cells))
    except MaskedQueryError:
        text = _("This field is not found by its value, so it cannot be joined.")
        raise ValidationError(text) from None
    return match(_by(cells, known), stored, outer=_outer(join))


def _may_match(join: KeptJoin, field: Any, user: User) -> None:
    """Refuse who may not reveal such a value: matching a list would tell who has which."""
    model = field.model
    if join.left.owner_id != user.pk or not may(user, codename("reveal", model), None).allowed:
        raise PermissionDenied


def model_of(label: str) -> str:
    """Return what the rows of a model are called; its label when its app is left out."""
    try:
        return str(apps.get_model(label)._meta.verbose_name_plural)
    except LookupError:
        return label
