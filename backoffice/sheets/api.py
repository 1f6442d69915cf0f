"""Imports in the API: a file comes in by its profile, is checked, started, looked after, undone.

It is the way of the pages: the same scan, limits, check, approval and rights. No value of a row is
to be had here, only what the tables of problems show.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, override

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from drf_spectacular.utils import extend_schema_serializer as described
from rest_framework import exceptions, serializers, status
from rest_framework.decorators import action
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from backoffice.accounts import rates
from backoffice.sheets import services, starting
from backoffice.sheets.errors import ReadError
from backoffice.sheets.models import ImportJob, ImportProblem, ImportProfile
from backoffice.sheets.services import StateError
from backoffice.sheets.undoing import undo
from backoffice.site.api import ReadViewSet, refusals

_COUNTS = ("read", "ready", "repeated", "skipped", "failed")


class ImportSerializer(serializers.ModelSerializer[ImportJob]):
    """An import: where it stands, what its check found, what its run wrote, what its undo did."""

    number = serializers.UUIDField(source="public_id", read_only=True)
    name = serializers.CharField(source="original_name", read_only=True)
    profile = serializers.CharField(source="profile.name", default=None, allow_null=True)
    uploaded_by = serializers.CharField(source="owner.username", read_only=True)
    check = serializers.SerializerMethodField()
    written = serializers.SerializerMethodField()
    undone = serializers.SerializerMethodField()

    class Meta:
        """Without the file and what it is sealed by."""

        model = ImportJob
        fields = (
            "number",
            "reference",
            "name",
            "format",
            "profile",
            "mode",
            "whole",
            "origin",
            "state",
            "message",
            "uploaded_by",
            "check",
            "written",
            "undone",
            "created_at",
            "started_at",
            "finished_at",
        )

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
    def get_check(self, job: ImportJob) -> dict[str, int]:
        """Return rows by what the check found of them; empty before there was one."""
        return {name: job.summary[name] for name in _COUNTS if name in job.summary}

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
    def get_written(self, job: ImportJob) -> dict[str, int]:
        """Return records by what was done with them."""
        names = ("created", "updated", "unchanged", "failed")
        return {name: job.total(name) for name in names} if job.counters else {}

    @extend_schema_field(
        {"type": "object", "additionalProperties": {"type": "integer"}, "nullable": True}
    )
    def get_undone(self, job: ImportJob) -> dict[str, int] | None:
        """Return rows by what the undo did with them; null where nobody asked for one."""
        begun = getattr(job, "undo", None)
        return undo.totals(begun) if begun else None


class ProblemSerializer(serializers.ModelSerializer[ImportProblem]):
    """A problem of a row, or of `count` rows of which it is the first."""

    outcome = serializers.CharField(source="severity")
    what = serializers.CharField(source="wrong")
    to_do = serializers.CharField(source="what_to_do")

    class Meta:
        """As the tables of the pages."""

        model = ImportProblem
        fields = ("outcome", "code", "sheet", "row", "column", "value", "count", "what", "to_do")


class DroppedSerializer(serializers.Serializer[Any]):
    """A file, how it is read, and what it is called. The same `reference` makes no second import.

    Without a profile, the one that knows its headers is taken.
    """

    file = serializers.FileField(max_length=200)
    profile = serializers.CharField(max_length=80, required=False, default="", allow_blank=True)
    reference = serializers.CharField(max_length=80, required=False, default="", allow_blank=True)


@described(examples=[OpenApiExample("Why", value={"reason": "Wrong list"}, request_only=True)])
class WhySerializer(serializers.Serializer[Any]):
    """Why, in a few words."""

    reason = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)


class ImportViewSet(ReadViewSet):
    """Imports, by number."""

    model = ImportJob
    resource = "imports"
    serializer_class = ImportSerializer
    lookup_field = "public_id"
    lookup_url_kwarg = "number"
    lookup_value_regex = "[0-9a-f-]{36}"
    filters: ClassVar = {"state": "state", "reference": "reference", "format": "format"}
    needs: ClassVar = {
        "create": "sheets.add_importjob",
        "check_rows": "sheets.add_importjob",
        "start": "sheets.add_importjob",
        # Whose it is, or the right for those of others, the service asks.
        "undo": "sheets.view_importjob",
    }
    scopes: ClassVar = {"problems": "imports:read"}

    @override
    def get_parsers(self) -> list[BaseParser]:
        """A file comes as a form; everything else is JSON."""
        if getattr(self, "action_map", None) and self.action_map.get("post") == "create":
            return [MultiPartParser()]
        return super().get_parsers()

    @override
    def rows(self) -> QuerySet[ImportJob]:
        return ImportJob.objects.select_related("owner", "profile", "undo")

    @extend_schema(
        request={"multipart/form-data": DroppedSerializer}, responses={201: ImportSerializer}
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Bring a file in and check its rows; nothing is written. 200: the reference is known."""
        form = DroppedSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        if known := self._known(given["reference"]):
            return self.answer(known)
        self._count()
        job = self._taken(given)
        try:
            services.check(job, actor=self.person)
        except StateError as error:  # somebody has to say something on a page first
            ImportJob.objects.filter(pk=job.pk).update(message=str(error)[:300])
        return self.answer(self._fresh(job), status.HTTP_201_CREATED)

    def _count(self) -> None:
        try:
            rates.spend("upload", self.person.pk, actor=self.person)
        except rates.TooManyError as error:
            raise exceptions.Throttled(wait=error.wait) from None

    def _known(self, reference: str) -> ImportJob | None:
        own = self.rows().filter(owner=self.person, reference=reference)
        return own.first() if reference else None

    def _taken(self, given: dict[str, Any]) -> ImportJob:
        with told("file", ReadError):
            job = services.take(
                given["file"], self.person, _profile(given["profile"]), ImportJob.Origin.API
            )
        try:
            with transaction.atomic():
                ImportJob.objects.filter(pk=job.pk).update(reference=given["reference"])
        except IntegrityError:  # two at once: the other one was first
            ImportJob.objects.filter(pk=job.pk).update(state=ImportJob.State.CANCELLED)
            services.let_go(job)
            raise exceptions.ValidationError(
                {"reference": [_("It is being brought in already.")]}
            ) from None
        return job

    @extend_schema(request=None, responses=ImportSerializer)
    @action(methods=["post"], detail=True, url_path="check", url_name="check")
    def check_rows(self, request: Request, **kwargs: Any) -> Response:
        """Check every row anew; nothing is written."""
        job = self._seen()
        with told("state", StateError):
            services.check(job, actor=self.person)
        return self.answer(self._fresh(job))

    @extend_schema(request=WhySerializer, responses=ImportSerializer)
    @action(methods=["post"], detail=True)
    def start(self, request: Request, **kwargs: Any) -> Response:
        """Write what was checked; where a rule wants an approval, ask for it."""
        job, reason = self._seen(), self._why()
        with refusals(), told("state", StateError):
            starting.start_or_ask(job, actor=self.person, reason=reason)
        return self.answer(self._fresh(job))

    @extend_schema(request=WhySerializer, responses=ImportSerializer)
    @action(methods=["post"], detail=True)
    def undo(self, request: Request, **kwargs: Any) -> Response:
        """Take every row back to its version before, but for those that were edited since."""
        job, reason = self._seen(), self._why()
        with told("state", StateError):
            undo.begin(job, actor=self.person, reason=reason)
        return self.answer(self._fresh(job))

    @extend_schema(
        responses=ProblemSerializer(many=True),
        operation_id="imports_problems_list",
        parameters=[],
    )
    @action(methods=["get"], detail=True)
    def problems(self, request: Request, **kwargs: Any) -> Response:
        """List what is wrong with its rows, in the order of the file."""
        rows = self.get_object().problems.order_by("pk")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(ProblemSerializer(page, many=True).data)

    def _seen(self) -> ImportJob:
        job: ImportJob = self.get_object()
        self.as_seen(job)
        return job

    def _why(self) -> str:
        form = WhySerializer(data=self.request.data)
        form.is_valid(raise_exception=True)
        return str(form.validated_data["reason"])

    def _fresh(self, job: ImportJob) -> ImportJob:
        return self.rows().get(pk=job.pk)


def _profile(name: str) -> ImportProfile | None:
    """Return the profile. Raises ValidationError for a name that there is not."""
    if not name:
        return None
    found = ImportProfile.objects.filter(name=name).first()
    if found is None:
        raise exceptions.ValidationError({"profile": [_("There is no such profile.")]})
    return found


@contextmanager
def told(field: str, *errors: type[Exception]) -> Iterator[None]:
    """Turn what a service refuses in words into a 400 of the field."""
    try:
        yield
    except errors as error:
        raise exceptions.ValidationError({field: [str(error)]}) from None
