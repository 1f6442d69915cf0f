"""Approvals in the API: read and decide, through the same services as the pages.

Deciding wants fresh proof of who somebody is where the rule does: the session has to be younger
than ten minutes, or the password given again on a page.
"""

from typing import Any, ClassVar, override

from django.core.exceptions import PermissionDenied as Refused
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import exceptions, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from backoffice.accounts import stepup
from backoffice.approvals import registry, services
from backoffice.approvals.models import ApprovalRequest, Vote
from backoffice.site.api import ReadViewSet, refusals


class ApprovalSerializer(serializers.ModelSerializer[ApprovalRequest]):
    """A request; `votes` of `approvers` people agreed so far."""

    maker = serializers.CharField(source="maker.username", read_only=True)
    decided_by = serializers.CharField(
        source="decided_by.username", default=None, read_only=True, allow_null=True
    )
    votes = serializers.IntegerField(source="approvals", default=0, read_only=True)

    class Meta:
        """Without payload and facts: the record's own address shows them to whoever may see it."""

        model = ApprovalRequest
        fields = (
            "id",
            "kind",
            "summary",
            "reason",
            "state",
            "maker",
            "approvers",
            "votes",
            "decided_by",
            "outcome",
            "created_at",
            "expires_at",
            "decided_at",
        )


@extend_schema_serializer(
    examples=[
        OpenApiExample("What was checked", value={"comment": "Photo seen"}, request_only=True)
    ]
)
class DecisionSerializer(serializers.Serializer[Any]):
    """A word on what was checked, or why not."""

    comment = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class ApprovalViewSet(ReadViewSet):
    """Approvals, by id."""

    model = ApprovalRequest
    resource = "approvals"
    # Deciding wants a person who just proved who they are; a token proves nothing of the kind.
    scopes: ClassVar = {"approve": None, "reject": None}
    serializer_class = ApprovalSerializer
    lookup_value_regex = "[0-9]+"
    filters: ClassVar = {"kind": "kind", "state": "state"}

    @override
    def rows(self) -> QuerySet[ApprovalRequest]:
        approving = Count("votes", filter=Q(votes__choice=Vote.Choice.APPROVE))
        requests = ApprovalRequest.objects.select_related("maker", "decided_by")
        return requests.annotate(approvals=approving)

    @extend_schema(request=DecisionSerializer, responses=ApprovalSerializer)
    @action(methods=["post"], detail=True)
    def approve(self, request: Request, **kwargs: Any) -> Response:
        """Vote for it; the last vote that is needed executes it."""
        return self._decide(request, services.approve)

    @extend_schema(request=DecisionSerializer, responses=ApprovalSerializer)
    @action(methods=["post"], detail=True)
    def reject(self, request: Request, **kwargs: Any) -> Response:
        """Reject it; a comment is required."""
        return self._decide(request, services.reject)

    def _decide(self, request: Request, service: Any) -> Response:
        found: ApprovalRequest = self.get_object()
        self.as_seen(found)
        form = DecisionSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        if registry.rule(found.kind).step_up and not stepup.is_fresh(request._request):  # noqa: SLF001 - Django's own request
            raise exceptions.PermissionDenied(_("Prove who you are on a page first."))
        comment = form.validated_data["comment"]
        try:
            with refusals():
                service(found, actor=self.person, comment=comment)
        except Refused as error:
            raise exceptions.PermissionDenied(str(error)) from None
        return self.answer(self.get_object())
