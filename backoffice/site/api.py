"""What every view of the API is built from: the same policy, scope and masks as the pages.

A view names its model; who may call it, and which rows exist for a person, the policy decides.
Answers are never kept by a browser or proxy, since they hold what one person may see. The API
finds rows by whole public values only: searching, ordering and filtering by parts would tell
what a mask hides.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, override

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, mixins, serializers, status, viewsets
from rest_framework.filters import BaseFilterBackend
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backoffice.accounts.models import User
from backoffice.policy import STAFF, Decision, Target, may, scope
from backoffice.refusals import REFUSED
from backoffice.site import api_errors, api_schema, etags  # noqa: F401 - its extensions have to be known
from backoffice.site.api_access import GuardedView, ScopePermission, site_of
from backoffice.site.bearer import is_plain_text

WHAT: Mapping[str | None, str] = {
    "list": "view",
    "retrieve": "view",
    "create": "add",
    "update": "change",
    "partial_update": "change",
}
"""REST framework's name of an action -> the policy's."""
READING = {"", "list", "retrieve", "metadata"}


class PolicyPermission(BasePermission):
    """Asks the policy: for the model before, for the record once it is known."""

    @override
    def has_permission(self, request: Request, view: APIView) -> bool:
        assert isinstance(view, PolicyViewSet)  # noqa: S101  it is of no use elsewhere
        return view.allows(view.needed(), view.model).allowed

    @override
    def has_object_permission(self, request: Request, view: APIView, obj: Model) -> bool:
        assert isinstance(view, PolicyViewSet)  # noqa: S101  it is of no use elsewhere
        return view.allows(view.needed(), obj).allowed


class StaffOnly(BasePermission):
    """Lets active staff in: for the description of the API."""

    @override
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))


class WholeValues(BaseFilterBackend):
    """Narrows a list by the parameters that the view names, each a whole value.

    A parameter that it does not name is refused: silently giving everything would be worse.
    """

    @override
    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> QuerySet[Any]:
        assert isinstance(view, PolicyViewSet)  # noqa: S101  it is of no use elsewhere
        allowed = {*view.filters, *view.paging_parameters()}
        if unknown := sorted(set(request.query_params) - allowed):
            name = unknown[0] if is_plain_text(unknown[0]) else "?"
            raise exceptions.ValidationError({name[:80]: [_("There is no such parameter.")]})
        for name, lookup in view.filters.items():
            if name in request.query_params:
                queryset = _narrowed(queryset, name, lookup, request.query_params[name])
        return queryset

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Describe the parameters for OpenAPI."""
        assert isinstance(view, PolicyViewSet)  # noqa: S101  it is of no use elsewhere
        return [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
            for name in view.filters
        ]


def _narrowed(rows: QuerySet[Any], name: str, lookup: str, value: str) -> QuerySet[Any]:
    try:
        found = rows.filter(**{lookup: value}) if is_plain_text(value) else None
    except (ValueError, ValidationError):
        found = None
    if found is None:
        raise exceptions.ValidationError({name: [_("This is no such value.")]})
    return found


_MOST_MINOR = 10**15


class MinorUnits(serializers.IntegerField):
    """An amount in whole minor units, as a JSON integer and nothing else.

    REST framework's own field takes "4.00" for 4, which would be four pence for four pounds.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Allow no more than a column holds."""
        super().__init__(**{"max_value": _MOST_MINOR, **kwargs})

    @override
    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Pages(LimitOffsetPagination):
    """50 rows a page, 200 at most."""

    default_limit = 50
    max_limit = 200
    # No database counts further, and nobody reads so far.
    max_offset = 10**9

    @override
    def get_offset(self, request: Request) -> int:
        return min(super().get_offset(request), self.max_offset)


class PolicyViewSet(GuardedView, viewsets.GenericViewSet[Any]):
    """The base of all views of the API.

    `model`: whose permissions count. `rows`: the queryset before scope. `filters`: parameter ->
    lookup. `needs`: the right for an action of the view's own, as a full name. A token needs the
    scope `resource`:read or `resource`:write; for single actions another one stands in `scopes`,
    where None keeps tokens out.
    """

    model: ClassVar[type[Model]]
    resource: ClassVar[str]
    filters: ClassVar[Mapping[str, str]] = {}
    needs: ClassVar[Mapping[str, str]] = {}
    scopes: ClassVar[Mapping[str, str | None]] = {}
    permission_classes = (ScopePermission, PolicyPermission)
    filter_backends = (WholeValues,)
    pagination_class = Pages
    http_method_names = ("get", "head", "options", "post", "put", "patch")

    @property
    def person(self) -> User:
        """Who asks; the permission let nobody else this far."""
        assert isinstance(self.request.user, User)  # noqa: S101  narrows the type
        return self.request.user

    @property
    def site(self) -> str:
        """The site whose scope counts."""
        return site_of(self.request)

    def allows(self, action: str, target: Target) -> Decision:
        """Ask the policy, for the site that the caller is in by."""
        return may(self.request.user, action, target, site=self.site)

    def scoped[Row: Model](self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """Return those of the rows that exist for the caller."""
        return scope(self.request.user, rows, site=self.site)

    def is_staff_side(self) -> bool:
        """Say whether the caller sees what staff sees, not what a shop does."""
        return self.site == STAFF

    def needed_scope(self) -> str | None:
        """Return the scope that a token needs; None where no token will do."""
        action = getattr(self, "action", None) or ""
        if action in self.scopes:
            return self.scopes[action]
        return f"{self.resource}:{'read' if action in READING else 'write'}"

    def needed(self) -> str:
        """Return what the policy is asked for ("view", or a full name)."""
        action = getattr(self, "action", None) or ""
        return self.needs.get(action) or WHAT.get(action, "view")

    def paging_parameters(self) -> set[str]:
        """Return the names of the parameters that choose the page."""
        return {Pages.limit_query_param, Pages.offset_query_param}

    def rows(self) -> QuerySet[Any]:
        """Return the rows with what the serializer needs, before scope."""
        return self.model._default_manager.all()

    @override
    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):  # the schema is made without a person
            return self.model._default_manager.none()
        return self.scoped(self.rows())

    @override
    def get_object(self) -> Any:
        if not all(is_plain_text(str(part)) for part in self.kwargs.values()):
            raise Http404
        return super().get_object()

    @override
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # A call that the view does not have is refused next, its body unread.
        if getattr(self, "action", None) and request.method in {"POST", "PUT", "PATCH"}:
            api_errors.require_answers(request.user, self.model, request.data)

    @override
    def handle_exception(self, exc: Exception) -> Response:
        """Say nothing of whom a single personal value belongs to; runs outside of transactions."""
        if isinstance(exc, (exceptions.ValidationError, *REFUSED)):
            exc = api_errors.reworded(exc, self.request.user, self.model, self.request.data)
        return super().handle_exception(exc)

    def answer(self, obj: Model, status: int = status.HTTP_200_OK) -> Response:
        """Return a record with its ETag; a new one with its address too."""
        data = self.get_serializer(obj).data
        headers = {"ETag": etags.etag_of(obj, data)}
        if status == _CREATED:
            key = getattr(obj, self.lookup_field)
            headers["Location"] = self.reverse_action("detail", args=[key])
        return Response(data, status=status, headers=headers)

    def as_seen(self, obj: Model) -> None:
        """Compare If-Match, where it was sent, with the state of the record (412)."""
        etags.check(self.request, etags.etag_of(obj, self.get_serializer(obj).data), required=False)


_CREATED = status.HTTP_201_CREATED


def view_of(model: type[Model]) -> "type[PolicyViewSet] | None":
    """Return the view of the API for a model, None where there is none."""
    waiting = [*PolicyViewSet.__subclasses__()]
    while waiting:
        view = waiting.pop(0)
        if getattr(view, "model", None) is model and hasattr(view, "resource"):
            return view
        waiting += view.__subclasses__()
    return None


def scope_for(model: type[Model], action: str) -> str | None:
    """Return the scope that a token needs for what the policy calls `action`; None for none.

    `action` is a short name ("view") or a full one. None too where the API has no such call.
    """
    found = view_of(model)
    if found is None:
        return None
    view = found()
    for name in (*(known for known in WHAT if known), *found.needs):
        view.action = name
        if view.needed() == action and hasattr(view, name):
            return view.needed_scope()
    return None


class ReadViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, PolicyViewSet):
    """A list and single records."""

    @override
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a record with its ETag."""
        return self.answer(self.get_object())


class ChangeViewSet(ReadViewSet):
    """Records that PUT and PATCH change, resting on the state that If-Match names."""

    def change(self, obj: Any, values: dict[str, Any]) -> Model:
        """Do it by a service and return the fresh row."""
        raise NotImplementedError

    def update(self, request: Request, **kwargs: Any) -> Response:
        """Put a record: all of its fields; a mask that is sent back means "unchanged"."""
        return self._written(partial=False)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change the fields that are sent."""
        return self._written(partial=True)

    def _written(self, *, partial: bool) -> Response:
        """Compare and write with the row locked: of two at once, one is told 412."""
        with transaction.atomic():
            key = self.get_object().pk
            locked = self.model._default_manager.select_for_update()
            list(locked.filter(pk=key).values_list("pk"))
            obj = self.get_object()
            seen = etags.etag_of(obj, self.get_serializer(obj).data)
            etags.check(self.request, seen, required=True)
            form = self.get_serializer(obj, data=self.request.data, partial=partial)
            form.is_valid(raise_exception=True)
            with refusals():
                kept = self.change(obj, dict(form.validated_data))
        return self.answer(kept)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what a service refuses into a 400 that names the field."""
    try:
        yield
    except ValidationError as error:
        raise exceptions.ValidationError(serializers.as_serializer_error(error)) from None
