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
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, mixins, serializers, viewsets
from rest_framework.filters import BaseFilterBackend
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backoffice.accounts.models import User
from backoffice.policy import may, scope

WHAT: Mapping[str | None, str] = {
    "list": "view",
    "retrieve": "view",
    "create": "add",
    "partial_update": "change",
}
"""REST framework's name of an action -> the policy's."""


class PolicyPermission(BasePermission):
    """Asks the policy: for the model before, for the record once it is known."""

    @override
    def has_permission(self, request: Request, view: APIView) -> bool:
        assert isinstance(view, PolicyViewSet)  # noqa: S101  it is of no use elsewhere
        return may(request.user, view.needed(), view.model).allowed

    @override
    def has_object_permission(self, request: Request, view: APIView, obj: Model) -> bool:
        assert isinstance(view, PolicyViewSet)  # noqa: S101  it is of no use elsewhere
        return may(request.user, view.needed(), obj).allowed


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
            raise exceptions.ValidationError({unknown[0]: [_("There is no such parameter.")]})
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
        return rows.filter(**{lookup: value})
    except (ValueError, ValidationError):
        raise exceptions.ValidationError({name: [_("This is no such value.")]}) from None


class MinorUnits(serializers.IntegerField):
    """An amount in whole minor units, as a JSON integer and nothing else.

    REST framework's own field takes "4.00" for 4, which would be four pence for four pounds.
    """

    @override
    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Pages(LimitOffsetPagination):
    """50 rows a page, 200 at most."""

    default_limit = 50
    max_limit = 200


class PolicyViewSet(viewsets.GenericViewSet[Any]):
    """The base of all views of the API.

    `model`: whose permissions count. `rows`: the queryset before scope. `filters`: parameter ->
    lookup. `needs`: the right for an action of the view's own, as a full name.
    """

    model: ClassVar[type[Model]]
    filters: ClassVar[Mapping[str, str]] = {}
    needs: ClassVar[Mapping[str, str]] = {}
    permission_classes = (PolicyPermission,)
    filter_backends = (WholeValues,)
    pagination_class = Pages
    http_method_names = ("get", "head", "options", "post", "patch")

    @property
    def person(self) -> User:
        """Who asks; the permission let nobody else this far."""
        assert isinstance(self.request.user, User)  # noqa: S101  narrows the type
        return self.request.user

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
        return scope(self.person, self.rows())

    @override
    def finalize_response(
        self, request: HttpRequest | Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        answer: Response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        answer["Cache-Control"] = "no-store"
        return answer


class ReadViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, PolicyViewSet):
    """A list and single records."""


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what a service refuses into a 400 that names the field."""
    try:
        yield
    except ValidationError as error:
        raise exceptions.ValidationError(serializers.as_serializer_error(error)) from None
